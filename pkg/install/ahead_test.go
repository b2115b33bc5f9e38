package install

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/step"
)

// bare is a stick without an identity: cluster.yaml, and join.yaml where ticket is set.
func bare(t *testing.T, ticket bool) *carried {
	t.Helper()
	c := stickWith(t, nil)
	for _, name := range []string{"identity.age", "cluster.yaml", "join.yaml"} {
		if ticket && name == "join.yaml" {
			continue
		}
		if err := os.Remove(c.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// checksOf are what preflight finds on a host that an earlier run began, so that
// no archive is looked at.
func (r *run) checksOf(t *testing.T) (*preflight.Result, []step.Event) {
	t.Helper()
	if r.saved == nil {
		r.saved = &target.State{Role: r.target.Role, Cluster: r.target.Cluster}
	}
	checks, plan, err := r.preflight(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return checks, plan
}

func failedNamed(r *preflight.Result, name string) []preflight.Check {
	return slices.DeleteFunc(r.Of(preflight.Failed), func(c preflight.Check) bool { return c.Name != name })
}

// TestTicketAhead: whatever is wrong with the ticket that a host needs is a failed
// check, told once, and its step is impossible.
func TestTicketAhead(t *testing.T) {
	t.Parallel()
	for what, v := range map[string]struct {
		prepare func(t *testing.T, c *carried, o *target.Request)
		says    string
	}{
		"none": {func(t *testing.T, c *carried, _ *target.Request) {
			if err := os.Remove(c.path("join.yaml")); err != nil {
				t.Fatal(err)
			}
		}, "/join.yaml is missing"},
		"named, and missing": {func(_ *testing.T, _ *carried, o *target.Request) { o.Join.Ticket = "/nowhere/mine.yaml" }, "/nowhere/mine.yaml"},
		"not YAML":           {func(t *testing.T, c *carried, _ *target.Request) { write(t, c.path("join.yaml"), "token: [") }, "join.yaml"},
		"a directory": {func(t *testing.T, c *carried, o *target.Request) {
			o.Join.Ticket = c.dir
		}, "cannot read the ticket"},
		"expired": {func(t *testing.T, c *carried, _ *target.Request) {
			k := *c.id.Ticket
			k.Expires = "2020-05-01T00:00:00Z"
			put(t, c, &k)
		}, "the ticket expired at 2020-05-01"},
		"of another version": {func(t *testing.T, c *carried, _ *target.Request) {
			k := *c.id.Ticket
			k.Kubernetes = "v1.18.2"
			put(t, c, &k)
		}, "the cluster runs Kubernetes v1.18.2"},
	} {
		c := bare(t, true)
		o := target.Request{Role: manifest.Node, Address: "192.168.4.77"}
		v.prepare(t, c, &o)
		s, err := c.look(t, o, nil, "192.168.4.77", "", "n1")
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		r, plan := s.checksOf(t)
		list := failedNamed(r, "ticket")
		if len(list) != 1 || !strings.Contains(list[0].Message, v.says) || list[0].Hint == "" || len(failedNamed(r, "join")) != 0 {
			t.Errorf("%s: %+v", what, list)
		}
		i := slices.IndexFunc(plan, func(e step.Event) bool { return e.Step == "join" })
		if i < 0 || plan[i].Status.State != step.Impossible {
			t.Errorf("%s: the step is %+v", what, plan)
		}
	}
}

// TestTicketNotNeeded: where nothing is taken from it, a bad ticket on the stick
// stops nobody.
func TestTicketNotNeeded(t *testing.T) {
	t.Parallel()
	c := bare(t, true)
	write(t, c.path("join.yaml"), "token: [")
	for what, saved := range map[string]*target.State{
		"a node that has joined":   {Role: manifest.Node, Bundle: "k-amd64", Joined: "192.168.4.11:6443", Finished: true},
		"a master that began":      {Role: manifest.Master, Bundle: "k-amd64"},
		"a master that is through": {Role: manifest.Master, Bundle: "k-amd64", Finished: true},
	} {
		saved.Cluster = manifest.DefaultCluster()
		if s, err := c.look(t, target.Request{}, saved, "192.168.4.77", "", "n1"); err != nil || s.target.Ticket.Err != nil {
			t.Errorf("%s: %v, %v", what, err, s.target.Ticket.Err)
		}
	}
	// A new master must not begin a cluster because the ticket of one is torn.
	s, err := c.look(t, target.Request{Role: manifest.Master}, nil, "192.168.4.77", "", "n1")
	if err != nil || s.target.Ticket.Err == nil {
		t.Fatalf("a new master: %v, %v", err, s.target.Ticket.Err)
	}
	if r, _ := s.checksOf(t); len(failedNamed(r, "ticket")) != 1 {
		t.Errorf("a new master: %+v", r.Of(preflight.Failed))
	}
	// One that is to be written is not missing.
	s, err = c.look(t, target.Request{Role: manifest.Master, Join: target.Join{Ticket: c.path("new.yaml")}}, nil, "192.168.4.77", "", "n1")
	if err != nil || s.target.Ticket.Err != nil || !s.target.First {
		t.Errorf("a ticket to be written: %v, %v", err, s.target.Ticket.Err)
	}
}

// TestStepsAhead: a step that is impossible is a failed check, with its hint, and
// cannot be skipped; one whose turn has not come is none.
func TestStepsAhead(t *testing.T) {
	t.Parallel()
	c := bare(t, true)
	s, err := c.look(t, target.Request{Role: manifest.Node, Interface: "nope0", Address: "192.168.4.77"}, nil, "192.168.4.77", "", "n1")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"/etc/hosts": "127.0.0.1 n1\n", "/etc/docker/daemon.json": "{ // mine\n}"} {
		write(t, mkdir(t, s.host.Path(name)), text)
	}
	r, plan := s.checksOf(t)
	for name, says := range map[string]string{"hosts": `the line "127.0.0.1 n1" of /etc/hosts`, "docker": "cannot change /etc/docker/daemon.json: invalid JSON", "interface": "nope0"} {
		list := failedNamed(r, name)
		if len(list) != 1 || !strings.Contains(list[0].Message, says) || list[0].Hint == "" {
			t.Errorf("%s: %+v", name, list)
		}
	}
	if err := r.Err(); err == nil || strings.Contains(err.Error(), "--skip-preflight") {
		t.Errorf("it offers to skip what cannot be skipped: %v", err)
	}
	for _, e := range plan {
		if e.Status.State == step.Later && len(failedNamed(r, e.Step)) > 0 {
			t.Errorf("%s is to be seen later, and failed", e.Step)
		}
	}
	twice := &preflight.Result{Checks: []preflight.Check{{Name: "hostname", State: preflight.Failed, Message: "the host is called localhost"}}}
	events := []step.Event{
		{Step: "hosts", Status: step.Status{State: step.Impossible, What: []string{"the host is called localhost"}}},
		{Step: "selinux", Status: step.Status{State: step.Unknown, What: []string{"cannot look"}}},
		{Step: "swap", Status: step.Status{State: step.ToDo, What: []string{"off"}}},
	}
	if list := obstacles(twice, events, true); len(list) != 1 || list[0].Name != "selinux" || list[0].State != preflight.Failed {
		t.Errorf("root: %+v", list)
	}
	if list := obstacles(twice, events, false); len(list) != 1 || list[0].State != preflight.Warning {
		t.Errorf("a user: %+v", list)
	}
}

// TestWithoutAddress: nothing is rendered for an address that is not known; the
// steps say why it is not.
func TestWithoutAddress(t *testing.T) {
	t.Parallel()
	for _, role := range []manifest.Role{manifest.Master, manifest.Single, manifest.Node} {
		c := bare(t, role == manifest.Node)
		s, err := c.look(t, target.Request{Role: role}, nil, "192.168.4.77", "", "n1")
		if err != nil {
			t.Fatal(err)
		}
		s.facts.Interfaces, s.facts.Routes = nil, nil
		if s.target, err = target.Decide(s.inputs); err != nil || s.target.AddressErr == nil {
			t.Fatalf("there is an address, or %v", err)
		}
		// The network's manifest is none of this.
		s.bundle.manifest.Network = manifest.NetworkFlannel
		r, plan := s.checksOf(t)
		text, err := json.Marshal(map[string]any{"checks": r, "plan": plan, "state": s.target.State(), "endpoint": s.target.Endpoint})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "invalid IP") {
			t.Errorf("%s: %s", role, text)
		}
		list := failedNamed(r, "address")
		if len(list) != 1 || !strings.Contains(list[0].Message, "no default route") {
			t.Errorf("%s: %+v", role, list)
		}
		steps, err := s.assembly().steps()
		if err != nil && role == manifest.Node {
			t.Fatal(err)
		}
		for _, st := range steps {
			if b, ok := st.(blocked); ok && (b.Apply(t.Context(), s.host) == nil || b.Name() == "") {
				t.Errorf("%s: %+v is done all the same", role, b)
			}
		}
		if role == manifest.Node && !slices.ContainsFunc(plan, func(e step.Event) bool {
			return e.Step == "join" && e.Status.State == step.Unknown && strings.Contains(e.Status.What[0], "no default route")
		}) {
			t.Errorf("join: %+v", plan)
		}
	}
}
