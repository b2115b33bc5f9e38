package cni

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// Kinds of what a manifest holds.
const (
	daemonSet = "DaemonSet"
	configMap = "ConfigMap"
)

// Install is the step that gives the cluster its network: manifest is that of n
// in the bundle. It is for a host with the administrator's kubeconfig. A cluster
// that has another network already keeps it. There is nothing to undo: what it
// makes goes with the cluster.
func (t Networks) Install(n Network, manifest []byte, c Cluster) step.Step {
	return &network{all: t, n: n, manifest: manifest, cluster: c}
}

type network struct {
	all      Networks
	n        Network
	manifest []byte
	cluster  Cluster
	kubectl  kubectl.Client
}

// keeper is a Driver that keeps in the cluster what its first manifest said,
// whatever a later one says.
type keeper interface {
	// settled tells what of it is of another cluster than c, "" for nothing, and
	// the command that does away with it.
	settled(ctx context.Context, h *host.Host, k kubectl.Client, c Cluster) (what, fix string, err error)
}

func (*network) Name() string { return "network" }

func (s *network) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	others, err := s.all.Others(h, s.n)
	if err != nil {
		return st, err
	}
	for _, o := range others {
		switch {
		case o.Network != "":
			return step.Cannot(o.Hint(), "this host has %s of network %s: pods would get their addresses from it", o.Path, o.Network), nil
		case o.First:
			return step.Cannot(o.Hint(), "the kubelet uses %s before the configuration of %s: pods would get their addresses from it", o.Path, s.n.Name), nil
		}
		st.Warn("the kubelet uses %s until %s is installed, and a pod that starts before gets a wrong address; first run: %s", o.Path, s.n.Name, o.Hint())
	}
	rendered, err := s.n.Render(s.manifest, s.cluster)
	if err != nil {
		return st, err
	}
	if err := s.kubectl.Usable(h); err != nil {
		return st, err
	}
	other, err := s.all.applied(ctx, h, s.kubectl, s.n)
	if err != nil {
		return st, err
	}
	if other != nil {
		return step.Cannot(fmt.Sprintf("kubectl delete daemonset %s --namespace=%s", other.Metadata.Name, other.Metadata.Namespace),
			"the cluster has network %s already: DaemonSet %s", s.all.ownerOf(other.Metadata.Name), other), nil
	}
	if k, ok := s.n.Driver.(keeper); ok {
		what, fix, err := k.settled(ctx, h, s.kubectl, s.cluster)
		if err != nil {
			return st, err
		}
		if what != "" {
			return step.Cannot(fix, "%s", what), nil
		}
	}
	changes, err := s.compare(ctx, h, rendered)
	for _, c := range changes {
		st.Todo("%s", c.what)
	}
	return st, err
}

func (s *network) Apply(ctx context.Context, h *host.Host) error {
	rendered, err := s.n.Render(s.manifest, s.cluster)
	if err != nil {
		return err
	}
	changes, err := s.compare(ctx, h, rendered)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(c change) bool { return c.restart }) {
		// Pods read their ConfigMap when they start, and nothing restarts them for
		// it. Deleted before, they are missing until all is applied, so that a run
		// which is killed in between continues here.
		for _, o := range objectsOf(rendered) {
			if o.Kind == daemonSet {
				gone := s.kubectl.Command(nil, "delete", "daemonset", o.Metadata.Name, "--namespace="+o.Metadata.Namespace, "--ignore-not-found")
				if err := h.Change(ctx, gone, nil); err != nil {
					return kubectl.Explain(h, err)
				}
			}
		}
	}
	if err := h.Change(ctx, s.kubectl.Command(rendered, "apply", "--filename=-"), nil); err != nil {
		return fmt.Errorf("cannot apply the manifest of %s: %w", s.n.Name, kubectl.Explain(h, err))
	}
	return nil
}

// change is something that the cluster has not, or has otherwise. Restart is
// that what runs already would not notice.
type change struct {
	what    string
	restart bool
}

// compare tells what of a rendered manifest the cluster has not. What people
// tune afterwards, such as flannel's backend or its limits, does not count.
func (s *network) compare(ctx context.Context, h *host.Host, rendered []byte) ([]change, error) {
	var reply struct {
		object
		Items []object
	}
	if _, err := s.kubectl.Get(ctx, h, &reply, rendered, "--filename=-"); err != nil {
		return nil, err
	}
	live := slices.Concat(reply.Items, []object{reply.object}) // one object is not put into a List
	var changes []change
	for _, want := range objectsOf(rendered) {
		at := slices.IndexFunc(live, want.is)
		if at < 0 {
			changes = append(changes, change{what: fmt.Sprintf("create %s %s", want.Kind, want)})
			continue
		}
		changes = append(changes, want.differs(live[at], s.n)...)
	}
	return changes, nil
}

// object is what is compared of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct {
				InitContainers []container `yaml:"initContainers"`
				Containers     []container
			}
		}
	}
}

func (o object) containers() []container {
	return slices.Concat(o.Spec.Template.Spec.InitContainers, o.Spec.Template.Spec.Containers)
}

type container struct {
	Name, Image   string
	Command, Args []string
	Env           []variable
}

type variable struct {
	Name, Value string
	ValueFrom   struct {
		FieldRef struct {
			FieldPath string `yaml:"fieldPath"`
		} `yaml:"fieldRef"`
	} `yaml:"valueFrom"`
}

// String is the object's name with its namespace.
func (o object) String() string {
	return strings.TrimPrefix(o.Metadata.Namespace+"/"+o.Metadata.Name, "/")
}

// is says whether now is the object of that name; a manifest may leave the
// namespace out.
func (o object) is(now object) bool {
	return o.Kind == now.Kind && o.Metadata.Name == now.Metadata.Name &&
		(o.Metadata.Namespace == "" || o.Metadata.Namespace == now.Metadata.Namespace)
}

// objectsOf reads the objects of a manifest, those of Lists too. What is none
// is left out: kubectl says better what is wrong with it.
func objectsOf(stream []byte) []object {
	var all []object
	for decoder := yaml.NewDecoder(bytes.NewReader(stream)); ; {
		var one struct {
			object `yaml:",inline"`
			Items  []object
		}
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		var wrong *yaml.TypeError
		if err != nil && !errors.As(err, &wrong) {
			return all
		}
		switch {
		case one.Kind == "List":
			all = append(all, one.Items...)
		case one.Kind != "":
			all = append(all, one.object)
		}
	}
}

// configured is a Driver whose pods read ConfigMaps.
type configured interface {
	// differs tells what of a value of a ConfigMap counts and is otherwise than it
	// has to be, "" for nothing. where names the ConfigMap.
	differs(where, key, now, want string) string
}

// differs tells how now is otherwise than o, which is of n's manifest.
func (o object) differs(now object, n Network) []change {
	var changes []change
	c, isConfigured := n.Driver.(configured)
	for _, key := range slices.Sorted(maps.Keys(o.Data)) {
		have, ok := now.Data[key]
		switch {
		case !ok:
			changes = append(changes, change{fmt.Sprintf("set %[3]s in %[1]s %[2]s", o.Kind, o, key), true})
		case isConfigured:
			if what := c.differs(fmt.Sprintf("%s %s", o.Kind, o), key, have, o.Data[key]); what != "" {
				changes = append(changes, change{what, true})
			}
		}
	}
	have := now.containers()
	for _, c := range o.containers() {
		at := slices.IndexFunc(have, func(x container) bool { return x.Name == c.Name })
		if at < 0 {
			changes = append(changes, change{what: fmt.Sprintf("add container %[3]s to %[1]s %[2]s", o.Kind, o, c.Name)})
			continue
		}
		if text := c.differs(have[at]); text != "" {
			changes = append(changes, change{what: fmt.Sprintf("%s %s: %s", o.Kind, o, text)})
		}
	}
	return changes
}

// differs tells how now is otherwise than c, "" where it is not.
func (c container) differs(now container) string {
	switch {
	case c.Image != now.Image:
		return fmt.Sprintf("set image %s (now %s)", c.Image, now.Image)
	case !slices.Equal(c.Command, now.Command) || !slices.Equal(c.Args, now.Args):
		return fmt.Sprintf("run %s with %s (now %s)", c.Name,
			strings.Join(append(c.Command, c.Args...), " "), strings.Join(append(now.Command, now.Args...), " "))
	}
	for _, v := range c.Env {
		if !slices.Contains(now.Env, v) {
			return fmt.Sprintf("set variable %[2]s of %[1]s", c.Name, v.Name)
		}
	}
	return ""
}
