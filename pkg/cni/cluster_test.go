package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// cluster is a double of what kubectl reaches: it keeps objects.
type cluster struct {
	objects  []map[string]any
	restarts int
	down     bool
}

// joined is a master with a cluster, whose kubectl reaches it.
func joined(t *testing.T) (*host.Host, *hosttest.Machine, *cluster) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t, kubectl.Admin, "")
	c := &cluster{}
	m.Programs["kubectl"] = c.kubectl
	return h, m, c
}

func objects(stream string) ([]map[string]any, error) {
	var all []map[string]any
	d := yaml.NewDecoder(strings.NewReader(stream))
	for {
		var o map[string]any
		if err := d.Decode(&o); err != nil {
			return all, nil //nolint:nilerr // the end
		}
		if o == nil {
			continue
		}
		all = append(all, o)
	}
}

func (c *cluster) add(t *testing.T, stream string) {
	t.Helper()
	all, err := objects(stream)
	if err != nil {
		t.Fatal(err)
	}
	c.objects = append(c.objects, all...)
}

func field(o map[string]any, path ...string) string {
	var at any = o
	for _, p := range path {
		m, _ := at.(map[string]any)
		at = m[p]
	}
	s, _ := at.(string)
	return s
}

func (c *cluster) index(o map[string]any) int {
	return slices.IndexFunc(c.objects, func(x map[string]any) bool {
		return field(x, "kind") == field(o, "kind") && field(x, "metadata", "name") == field(o, "metadata", "name")
	})
}

// kubectl knows get KIND [NAME], get -f -, apply, replace, delete KIND NAME and
// rollout restart.
func (c *cluster) kubectl(args []string, stdin string) (string, error) {
	if c.down {
		return "", &hosttest.Exit{Code: 1, Stderr: "The connection to the server 192.168.4.11:6443 was refused - did you specify the right host or port?"}
	}
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--") })
	in, err := objects(stdin)
	if err != nil {
		return "", err
	}
	switch args[0] {
	case "get":
		return c.get(args[1:], in)
	case "apply", "replace":
		for _, o := range in {
			if at := c.index(o); at >= 0 {
				c.objects[at] = o
			} else {
				c.objects = append(c.objects, o)
			}
		}
	case "delete":
		c.objects = slices.DeleteFunc(c.objects, func(o map[string]any) bool {
			return strings.EqualFold(field(o, "kind"), args[1]) && field(o, "metadata", "name") == args[2]
		})
	case "rollout":
		c.restarts++
	default:
		return "", &hosttest.Exit{Code: 1, Stderr: "Error: unknown command " + args[0]}
	}
	return "", nil
}

func (c *cluster) get(args []string, in []map[string]any) (string, error) {
	var found []map[string]any
	for _, o := range in {
		if at := c.index(o); at >= 0 {
			found = append(found, c.objects[at])
		}
	}
	resource, _, _ := strings.Cut(strings.Join(args[:min(1, len(args))], ""), ".")
	for _, o := range c.objects {
		if len(args) > 0 && strings.EqualFold(strings.TrimSuffix(resource, "s"), field(o, "kind")) && (len(args) < 2 || field(o, "metadata", "name") == args[1]) {
			found = append(found, o)
		}
	}
	var reply any = map[string]any{"kind": "List", "items": found}
	switch {
	case len(found) == 0:
		return "", nil
	case len(args) > 1:
		reply = found[0]
	}
	text, err := json.MarshalIndent(reply, "", "    ")
	return string(text), err
}

func apply(t *testing.T, h *host.Host, s ...step.Step) error {
	t.Helper()
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}()
	return step.Run(t.Context(), h, j, Kinds(), s, func(step.Event) {})
}

// look is the status of a step as one text.
func look(t *testing.T, h *host.Host, s step.Step) string {
	t.Helper()
	st, err := s.Check(t.Context(), h)
	if err != nil {
		return "error: " + err.Error()
	}
	if st.State == "" {
		st.State = step.Done
	}
	return fmt.Sprintf("%s: %s (%s) %s", st.State, strings.Join(st.What, "; "), st.Hint, strings.Join(st.Warnings, "; "))
}
