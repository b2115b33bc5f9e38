package install

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

const (
	password = "correct horse battery staple"
	names    = `apiVersion: kubecrate/v1
kind: Cluster
hosts:
  - {name: node1, address: 192.168.4.21, role: node}
  - {name: master1, address: 192.168.4.11, role: master}
  - {name: master2, address: 192.168.4.12, role: master}
  - {name: one, address: 192.168.4.31, role: node, mac: "52:54:00:12:34:56"}
`
)

// carried is a stick with an identity on it.
type carried struct {
	dir string
	id  *identity.Identity
}

func stickWith(t *testing.T, change func(*manifest.Cluster)) *carried {
	t.Helper()
	c, err := manifest.ParseCluster("cluster.yaml", []byte(names))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	id, err := identity.New(c, identity.Options{Now: time.Now(), Bits: 1024})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := id.Seal([]byte(password), 4)
	if err != nil {
		t.Fatal(err)
	}
	s := &carried{t.TempDir(), id}
	if _, err := id.Write(identity.Place{Dir: s.dir}, c, sealed); err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *carried) path(name string) string { return filepath.Join(c.dir, name) }

// look is what the host of an address, a MAC and a name finds on the stick.
func (c *carried) look(t *testing.T, request target.Request, saved *target.State, address, mac, name string) (*run, error) {
	t.Helper()
	r, _, err := c.hear(t, request, saved, address, mac, name)
	return r, err
}

// hear is look, with what the host is told.
func (c *carried) hear(t *testing.T, request target.Request, saved *target.State, address, mac, name string) (*run, *strings.Builder, error) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t, "/proc/sys/kernel/hostname", name+"\n", "/sys/class/net/eth0/address", mac+"\n", "/sys/class/net/eth0/operstate", "up\n")
	m.Programs["ip"] = func([]string, string) (string, error) {
		return "2: eth0    inet " + address + "/24 brd 192.168.4.255 scope global eth0\\\n", nil
	}
	family, err := distro.For("el7")
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{
		software: family, media: Media{Archive: c.path("a.tar.zst")}, files: os.DirFS(c.dir),
		lock: &manifest.Lock{Name: "k"}, manifest: &manifest.Manifest{Kubernetes: "v1.17.4", Runtime: "docker", Network: "flannel"},
	}
	b.lock.Platform.Family, b.lock.Platform.Arch = "el7", "amd64"
	b.lock.Images = []manifest.LockedImage{{Name: "k8s.gcr.io/kube-apiserver:v1.17.4"}}
	said := &strings.Builder{}
	r := &run{host: h, saved: saved, bundle: b, caller: Caller{Report: func(e progress.Event) { said.WriteString(e.Text + "\n") }}}
	return r, said, r.look(t.Context(), request)
}

// TestIdentityRoles: every host knows what it is by its address, MAC or name, and
// what it does by its place in the list.
func TestIdentityRoles(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	for what, v := range map[string]struct {
		address, mac, name string
		role               manifest.Role
		first              bool
		join               bool
	}{
		"a node by its address":     {"192.168.4.21", "", "fresh", manifest.Node, false, true},
		"the first master":          {"192.168.4.11", "", "fresh", manifest.Master, true, false},
		"the second master by name": {"192.168.4.99", "", "master2", manifest.Master, false, true},
		"a node by its MAC":         {"192.168.4.98", "52:54:00:12:34:56", "master1", manifest.Node, false, true},
	} {
		s, err := c.look(t, target.Request{}, nil, v.address, v.mac, v.name)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := s.target; got.Role != v.role || got.First != v.first || (got.Ticket.Join != nil) != v.join || (got.Ticket.Begin != nil) != v.first || !got.ByIdentity {
			t.Errorf("%s: role %s, first %v, ticket %+v", what, got.Role, got.First, got.Ticket)
		}
		if l := s.terms.limits(s.target.ByIdentity); l.Master != 12*time.Hour || l.API != 10*time.Minute {
			t.Errorf("%s waits %+v", what, l)
		}
	}
	_, err := c.look(t, target.Request{}, nil, "192.168.4.77", "52:54:00:99:99:99", "stranger")
	if !errors.Is(err, target.ErrRole) || !strings.Contains(hint.Of(err), "192.168.4.77") || !strings.Contains(hint.Of(err), "52:54:00:99:99:99") {
		t.Errorf("a stranger: %v (%s)", err, hint.Of(err))
	}
	_, err = c.look(t, target.Request{Role: manifest.Master}, nil, "192.168.4.77", "", "stranger")
	if err == nil || !strings.Contains(err.Error(), "this host is not in the cluster's list") {
		t.Errorf("a stranger who wants to be a master: %v", err)
	}
	if l := (terms{wait: time.Hour}).limits(true); l.Master != time.Hour {
		t.Errorf("as told it waits %+v", l)
	}
	if s, err := c.look(t, target.Request{Role: manifest.Node}, nil, "192.168.4.77", "", "stranger"); err != nil || s.target.Ticket.Join == nil {
		t.Errorf("a stranger with the ticket joins as a node: %v", err)
	}
	joined := &target.State{Role: manifest.Master, Bundle: "k-amd64", Joined: "192.168.4.11:6443", Identity: true, Finished: true, Cluster: manifest.DefaultCluster()}
	if err := os.Remove(c.path("join.yaml")); err != nil {
		t.Fatal(err)
	}
	if s, err := c.look(t, target.Request{}, joined, "192.168.4.12", "", "master2"); err != nil || s.target.First || s.target.Endpoint != "192.168.4.11:6443" {
		t.Errorf("one that has joined, without a ticket: %v", err)
	}
	node, err := c.look(t, target.Request{}, nil, "192.168.4.21", "", "x")
	if err != nil || node.target.Ticket.Err == nil || !strings.Contains(node.target.Ticket.Err.Error(), "join.yaml is missing") || !strings.Contains(hint.Of(node.target.Ticket.Err), "./install ticket") {
		t.Errorf("a node without a ticket: %v, %v", err, node.target.Ticket.Err)
	}
	if s, err := c.look(t, target.Request{}, nil, "192.168.4.11", "", "x"); err != nil || !s.target.First {
		t.Errorf("the first master needs none: %v", err)
	}
}

func word(text string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return text, nil }
}

// TestIdentityAttacks: what was changed on the stick, or a wrong passphrase, ends
// with exit code 4 before anything of the host is changed.
func TestIdentityAttacks(t *testing.T) {
	t.Parallel()
	other := stickWith(t, nil)
	for what, v := range map[string]struct {
		word   string
		change func(t *testing.T, c *carried)
		says   string
	}{
		"nothing":            {password, func(*testing.T, *carried) {}, ""},
		"a wrong passphrase": {"correct horse battery stable", func(*testing.T, *carried) {}, "wrong passphrase for"},
		"the identity of another cluster": {password, func(t *testing.T, c *carried) {
			text, err := os.ReadFile(other.path("identity.age"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, c.path("identity.age"), string(text))
		}, "join.yaml is not a ticket of"},
		"a ticket that leads elsewhere": {password, func(t *testing.T, c *carried) {
			ticket := *c.id.Ticket
			ticket.Endpoint = "192.168.4.66:6443"
			put(t, c, &ticket)
		}, "is for 192.168.4.66:6443"},
		"a ticket that pins another CA": {password, func(t *testing.T, c *carried) {
			ticket := *c.id.Ticket
			ticket.CACertHashes = []string{"sha256:" + strings.Repeat("ab", 32)}
			put(t, c, &ticket)
		}, "join.yaml is not a ticket of"},
		"a cluster file that leads elsewhere": {password, func(t *testing.T, c *carried) {
			text, err := os.ReadFile(c.path("cluster.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, c.path("cluster.yaml"), strings.Replace(string(text), "endpoint: 192.168.4.11:6443", "endpoint: 192.168.4.66:6443", 1))
		}, "puts the control plane at 192.168.4.66:6443"},
		"another token": {password, func(t *testing.T, c *carried) {
			ticket := *c.id.Ticket
			ticket.Token, ticket.Expires = "aaaaaa.aaaaaaaaaaaaaaaa", ""
			put(t, c, &ticket)
		}, ""},
	} {
		c := stickWith(t, nil)
		v.change(t, c)
		s, err := c.look(t, target.Request{}, nil, "192.168.4.11", "", "x")
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		s, err = s.openIdentity(t.Context(), word(v.word))
		if v.says == "" {
			// What is sealed counts, whatever lies beside it.
			if given := s.target.Ticket.Begin; err != nil || s.keys == nil || given.Token != c.id.Ticket.Token || given.Expires == "" {
				t.Errorf("%s: %v, given %+v", what, err, given)
			}
			continue
		}
		var coder interface{ ExitCode() int }
		if err == nil || !errors.As(err, &coder) || coder.ExitCode() != 4 || !strings.Contains(err.Error(), v.says) || hint.Of(err) == "" {
			t.Errorf("%s: %v (%s), want %s", what, err, hint.Of(err), v.says)
		}
		if err != nil && (strings.Contains(err.Error(), c.id.Ticket.Token) || strings.Contains(err.Error(), password)) {
			t.Errorf("%s: a secret stands in %v", what, err)
		}
	}
}

func put(t *testing.T, c *carried, ticket *manifest.Ticket) {
	t.Helper()
	text, err := ticket.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.path("join.yaml"), string(text))
}

// TestIdentityAsksOnce: the passphrase is asked for on masters that lack the CAs,
// and nowhere else; a plan never asks.
func TestIdentityAsksOnce(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	asked := 0
	ask := func(context.Context, string) (string, error) { asked++; return password, nil }
	node, err := c.look(t, target.Request{}, nil, "192.168.4.21", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := node.openIdentity(t.Context(), ask); opened != node || err != nil || asked != 0 {
		t.Errorf("a node: %v, asked %d times", err, asked)
	}
	master, err := c.look(t, target.Request{}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	st, err := kubeadm.Authority(master.assembly().authority()).Check(t.Context(), master.host.With(nil))
	if err != nil || st.State != step.ToDo || asked != 0 {
		t.Errorf("a plan: %+v, %v, asked %d times", st, err, asked)
	}
	if master, err = master.openIdentity(t.Context(), ask); err != nil || asked != 1 {
		t.Fatalf("a master: %v, asked %d times", err, asked)
	}
	for name, text := range master.keys.Files {
		write(t, mkdir(t, master.host.Path("/etc/kubernetes/pki/"+name)), string(text))
	}
	if _, err := master.openIdentity(t.Context(), ask); err != nil || asked != 1 {
		t.Errorf("a master that has them: %v, asked %d times", err, asked)
	}
	bare, err := c.look(t, target.Request{}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.openIdentity(t.Context(), nil); err == nil || !strings.Contains(hint.Of(err), "--identity FILE") {
		t.Errorf("nobody to ask: %v", err)
	}
}

func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEndpointName: a name of the control plane leads to every master, on a master
// to itself first; on a node in their order.
func TestEndpointName(t *testing.T) {
	t.Parallel()
	c := stickWith(t, func(c *manifest.Cluster) { c.Endpoint = "k8s.lan:8443" })
	for address, want := range map[string]string{
		"192.168.4.21": "192.168.4.11 192.168.4.12",
		"192.168.4.11": "192.168.4.11 192.168.4.12",
		"192.168.4.12": "192.168.4.12 192.168.4.11",
	} {
		s, err := c.look(t, target.Request{}, nil, address, "", "x")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range s.target.Entries {
			if slices.Contains(e.Names, "k8s.lan") {
				got = append(got, e.Address.String())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("on %s k8s.lan is %v", address, got)
		}
		if !slices.ContainsFunc(s.target.Hosts, func(h manifest.Host) bool { return h.Name == "master1" && len(h.Aliases) == 0 }) {
			t.Errorf("hosts of a ticket: %+v", s.target.Hosts)
		}
		if err := s.target.Effective.Validate(); err != nil {
			t.Error(err)
		}
	}
	// A name that the operator gave one master stays there.
	c = stickWith(t, func(c *manifest.Cluster) { c.Endpoint = "api.lan"; c.Hosts[2].Aliases = []string{"api.lan"} })
	s, err := c.look(t, target.Request{}, nil, "192.168.4.11", "", "x")
	if err != nil || slices.ContainsFunc(s.target.Entries, func(e prep.Entry) bool {
		return slices.Contains(e.Names, "api.lan") && e.Address.String() != "192.168.4.12"
	}) {
		t.Errorf("%v, %+v", err, s.target.Entries)
	}
}

// TestIdentitySteps: the table of contents of every role.
func TestIdentitySteps(t *testing.T) {
	t.Parallel()
	c := stickWith(t, func(c *manifest.Cluster) { c.VIP = &manifest.VIP{Address: "192.168.4.100"} })
	for address, want := range map[string]string{
		"192.168.4.12": "vip identity join kubeconfig ready retire",
		"192.168.4.21": "join ready",
	} {
		s, err := c.look(t, target.Request{}, nil, address, "", "x")
		if err != nil {
			t.Fatal(err)
		}
		runtime, err := cri.All().For("docker")
		if err != nil {
			t.Fatal(err)
		}
		k, err := s.assembly().kubeadm(runtime)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.assembly().membership(k)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, st := range list {
			got = append(got, st.Name())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", address, got, want)
		}
		if at := s.target.Endpoint; at != "192.168.4.100:6443" {
			t.Errorf("endpoint %s", at)
		}
	}
}

// TestWarnOnly: what has ended is no fault of a host that is only looked at.
func TestWarnOnly(t *testing.T) {
	t.Parallel()
	a := &assembly{warnOnly: true}
	st, err := a.ticketStep(todo{}).Check(t.Context(), nil)
	if err != nil || st.State != step.Done || len(st.Warnings) != 2 || st.Warnings[0] != "something" {
		t.Errorf("%+v, %v", st, err)
	}
	a.warnOnly = false
	if st, err := a.ticketStep(todo{}).Check(t.Context(), nil); err != nil || st.State != step.ToDo {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestMountOf(t *testing.T) {
	t.Parallel()
	if got := mountOf(host.Local(), "/proc/sys/kernel"); got != "/proc" && got != "/proc/sys" {
		t.Errorf("/proc/sys/kernel lies on %s", got)
	}
	if got := mountOf(host.Local(), "/does/not/exist"); got != "/" {
		t.Errorf("nothing lies on %s", got)
	}
}

type todo struct{ step.Step }

func (todo) Check(context.Context, *host.Host) (st step.Status, err error) {
	st.Todo("something")
	return st, nil
}
