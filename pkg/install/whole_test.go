package install

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// stay installs a host and holds what every installed host has to show: it is
// what status says, and the same command changes nothing.
func (x *machine) stay(role manifest.Role, change ...func(*RunRequest)) {
	t := x.l.t
	t.Helper()
	r, err := x.run(role, change...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", x.name, err, strings.Join(x.warnings(), "\n"))
	}
	if r.Role != role || r.Node != x.name || len(r.Changed) == 0 || !x.l.api.has("nodes//"+x.name) {
		t.Errorf("%s: %+v", x.name, r)
	}
	x.says(r, "node "+x.name+" is Ready, a "+string(role), "to undo everything: ./install reset")
	st, err := CheckStatus(t.Context(), x.h, x.statusRequest())
	if err != nil || st.Condition != Installed || st.Node != x.name {
		t.Errorf("%s: %v, status %+v", x.name, err, st)
	}
	x.says(st, "installed: ", "role "+string(role)+", node "+x.name, "kubelet")
	bare, err := CheckStatus(t.Context(), x.h, StatusRequest{Caller: Caller{Dialer: x.l.api, Tables: x.l.tables}})
	if err != nil || bare.Condition != Installed {
		t.Errorf("%s without a stick: %v, status %+v", x.name, err, bare)
	}
	at := len(x.m.Calls())
	again, err := x.run(role, change...)
	if err != nil || len(again.Changed) > 0 {
		t.Errorf("%s again: %v, %+v", x.name, err, again)
	}
	x.says(again, "nothing changed")
	for _, line := range x.m.Calls()[at:] {
		if strings.HasPrefix(line, "kubeadm init") || strings.HasPrefix(line, "kubeadm join") || strings.HasPrefix(line, "yum") {
			t.Errorf("%s again: %s", x.name, line)
		}
	}
}

// says holds what a result says to a person.
func (x *machine) says(r interface{ WriteText(io.Writer) error }, wants ...string) {
	x.l.t.Helper()
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		x.l.t.Error(err)
	}
	for _, want := range wants {
		if !strings.Contains(out.String(), want) {
			x.l.t.Errorf("%s: no %q in\n%s", x.name, want, out.String())
		}
	}
}

func (x *machine) ticket(o TicketRequest) (*Ticketed, error) {
	o.Media, o.Caller = x.media(), x.caller()
	r, err := Ticket(x.l.t.Context(), x.h, o)
	x.carry()
	return r, err
}

// leave resets a host, after which it is as it was.
func (x *machine) leave(before string) *Undone {
	t := x.l.t
	t.Helper()
	u, err := Reset(t.Context(), x.h, x.resetRequest(false))
	if err != nil {
		t.Fatalf("%s: %v", x.name, err)
	}
	if after := x.state(); after != before {
		t.Errorf("%s is not as it was:\n%s", x.name, difference(before, after))
	}
	if names, err := x.h.ReadDir(step.Dir); err != nil || len(names) > 0 {
		t.Errorf("%s: %s holds %v, %v", x.name, step.Dir, names, err)
	}
	if u.Empty || len(u.Steps) == 0 {
		t.Errorf("%s: %+v", x.name, u)
	}
	again, err := Reset(t.Context(), x.h, x.resetRequest(false))
	if err != nil || !again.Empty {
		t.Errorf("%s again: %+v, %v", x.name, again, err)
	}
	return u
}

// difference lists the lines that only one of two states has.
func difference(before, after string) string {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			out.WriteString("gone " + l + "\n")
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out.WriteString("left " + l + "\n")
		}
	}
	return out.String()
}

func runtimes(t *testing.T, f func(t *testing.T, runtime string)) {
	t.Helper()
	for _, runtime := range []string{manifest.RuntimeDocker, manifest.RuntimeContainerd} {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			f(t, runtime)
		})
	}
}

// TestRunReset: every role is installed from the archive, and reset leaves the
// host as it was; the test of the cluster runs where it is new.
func TestRunReset(t *testing.T) {
	t.Parallel()
	runtimes(t, func(t *testing.T, runtime string) {
		l := newLab(t, runtime)
		master, second, node := l.host("master1", "192.168.4.11"), l.host("master2", "192.168.4.12"), l.host("node1", "192.168.4.21")
		before := map[*machine]string{master: master.state(), second: second.state(), node: node.state()}

		master.stay(manifest.Master)
		if !strings.Contains(l.onStick("join.yaml"), "endpoint: 192.168.4.11:6443") || len(l.api.tokens()) != 1 {
			t.Errorf("the ticket is %q, tokens %v", l.onStick("join.yaml"), l.api.tokens())
		}
		if l.api.has("namespaces//kubecrate-smoke") || !l.api.has("daemonsets/kube-system/kube-flannel-ds") {
			t.Errorf("the test of the cluster is left, or there is no network: %v", l.api.ids("daemonsets/"))
		}
		node.stay(manifest.Node)

		if _, err := master.ticket(TicketRequest{ControlPlane: true, TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		second.stay(manifest.Master)
		if r, err := Smoke(t.Context(), second.h, second.smokeRequest()); err != nil || len(r.Checks) < 8 {
			t.Errorf("the test of the cluster: %v, %+v", err, r)
		}

		for _, x := range []*machine{second, node, master} {
			x.leave(before[x])
		}
	})
}

// TestRunResetSingle: one host is master and node, and its packages may stay.
func TestRunResetSingle(t *testing.T) {
	t.Parallel()
	runtimes(t, func(t *testing.T, runtime string) {
		l := newLab(t, runtime)
		one := l.host("one", "192.168.4.31")
		before := one.state()
		one.stay(manifest.Single)
		one.leave(before)

		one.stay(manifest.Single)
		packages := one.rpm.Installed()
		u, err := Reset(t.Context(), one.h, one.resetRequest(true))
		if err != nil || !slices.Contains(u.Kept, "the installed packages, as requested") || !slices.Equal(one.rpm.Installed(), packages) {
			t.Errorf("%+v, %v; installed %v", u, err, one.rpm.Installed())
		}
	})
}

// TestRunResetIdentity: with an identity on the stick every host knows what it
// is; the keys go with the cluster, and the ticket ends when all have joined.
func TestRunResetIdentity(t *testing.T) {
	t.Parallel()
	runtimes(t, func(t *testing.T, runtime string) {
		l := newLab(t, runtime)
		id := l.identity("apiVersion: kubecrate/v1\nkind: Cluster\nhosts:\n" +
			"  - {name: master1, address: 192.168.4.11, role: master}\n  - {name: master2, address: 192.168.4.12, role: master}\n  - {name: node1, address: 192.168.4.21, role: node}\n")
		open := func(o *RunRequest) {
			o.Host.Role = ""
			o.Passphrase = func(context.Context, string) (string, error) { return password, nil }
		}
		master, second, node := l.host("master1", "192.168.4.11"), l.host("master2", "192.168.4.12"), l.host("node1", "192.168.4.21")
		before := map[*machine]string{master: master.state(), second: second.state(), node: node.state()}
		for _, x := range []*machine{master, second, node} {
			role := manifest.Master
			if x == node {
				role = manifest.Node
			}
			x.stay(role, open)
		}
		if got := master.m.Read(t, "/etc/kubernetes/pki/ca.key"); got != string(id.Files["ca.key"]) || node.m.Read(t, "/etc/kubernetes/pki/ca.key") != "" {
			t.Errorf("the CA of the master is %d bytes, not the identity's", len(got))
		}
		if _, err := master.run("", open); err != nil || len(l.api.tokens()) != 0 {
			t.Errorf("when all have joined the ticket ends: %v, tokens %v", err, l.api.tokens())
		}
		for _, x := range []*machine{node, second, master} {
			x.leave(before[x])
		}
	})
}

// TestVerifiedFirst: nothing of a host is changed before all of the archive that
// its role needs was found whole, whichever member is damaged.
func TestVerifiedFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	text, err := os.ReadFile(l.archive)
	if err != nil {
		t.Fatal(err)
	}
	// Most of the file is packages, of which each frame has a check of its own.
	read := 0
	for at := len(text) / 4; at < len(text)*3/4; at += len(text) / 16 {
		bad := slices.Clone(text)
		bad[at] ^= 0x40
		if err := os.WriteFile(l.archive, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		x := l.host("master1", "192.168.4.11")
		before := x.state()
		_, err := x.run(manifest.Master)
		var damage *archive.DamageError
		if !errors.As(err, &damage) {
			t.Errorf("byte %d of %d: %v", at, len(text), err)
		}
		if slices.ContainsFunc(x.said, func(e progress.Event) bool { return e.Stage == "verify" }) {
			read++
		}
		if after := x.state(); after != before || x.m.Read(t, step.Dir+"/journal.jsonl") != "" {
			t.Errorf("byte %d: changed before it was found:\n%s", at, difference(before, after))
		}
	}
	if read < 4 {
		t.Errorf("%d times the damage was in a member", read)
	}
}

// TestRunKilled: a run that ends at any program goes on where it stopped, or is
// taken back.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"yum -y", "systemctl enable kubelet", "docker -H unix:///var/run/docker.sock load", "kubeadm init", "kubectl --kubeconfig=/etc/kubernetes/admin.conf --request-timeout=20s apply"} {
		t.Run(strings.Fields(at)[0], func(t *testing.T) {
			t.Parallel()
			l := newLab(t, manifest.RuntimeDocker)
			x := l.host("master1", "192.168.4.11")
			before := x.state()
			x.dieAt = at
			if _, err := x.run(manifest.Master); !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", at, err)
			}
			st, err := CheckStatus(t.Context(), x.h, x.statusRequest())
			if err == nil || st.Condition != Unfinished {
				t.Errorf("%s: %v, %+v", at, err, st)
			}
			x.stay(manifest.Master)
			x.leave(before)

			x.dieAt = at
			if _, err := x.run(manifest.Master); !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", at, err)
			}
			x.leave(before)
		})
	}
}

// TestTicketVerb: a ticket is made, shown and ended on a master, and on no node.
func TestTicketVerb(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	master, node := l.host("master1", "192.168.4.11"), l.host("node1", "192.168.4.21")
	master.stay(manifest.Master)
	node.stay(manifest.Node)
	first := l.onStick("join.yaml")
	made, err := master.ticket(TicketRequest{TTL: 3 * time.Hour})
	if err != nil || made.Expires == "" || l.onStick("join.yaml") == first || made.Flags != "" {
		t.Errorf("made: %+v, %v", made, err)
	}
	shown, err := master.ticket(TicketRequest{Show: true})
	if err != nil || !strings.Contains(shown.Flags, "--master 192.168.4.11:6443 --token ") {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	if _, err := node.ticket(TicketRequest{}); err == nil || !strings.Contains(err.Error(), "only a master creates tickets") {
		t.Errorf("on a node: %v", err)
	}
	ended, err := master.ticket(TicketRequest{Revoke: true})
	if err != nil || ended.Revoked == nil || len(l.api.tokens()) != 0 {
		t.Errorf("ended: %+v, %v; tokens %v", ended, err, l.api.tokens())
	}
	late := l.host("node2", "192.168.4.22")
	if _, err := late.run(manifest.Node, func(o *RunRequest) { o.Wait = time.Nanosecond }); err == nil || l.api.has("nodes//node2") {
		t.Errorf("joined with a ticket that was ended: %v", err)
	}
	for _, w := range []interface{ WriteText(io.Writer) error }{made, shown, ended} {
		var out strings.Builder
		if err := w.WriteText(&out); err != nil || out.Len() == 0 {
			t.Errorf("%+v: %q, %v", w, out.String(), err)
		}
	}
}

// TestTicketOtherBundle: with the stick of another bundle, a ticket is made from the
// host's copies, and the operator is warned that the stick does not get it.
func TestTicketOtherBundle(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	x.stay(manifest.Master)
	first := l.onStick("join.yaml")
	l.archive = writeBundle(t, l.stick, manifest.RuntimeContainerd)
	x.said = nil
	made, err := x.ticket(TicketRequest{})
	if err != nil || len(made.Files) != 1 || l.onStick("join.yaml") != first {
		t.Errorf("made: %+v, %v", made, err)
	}
	if said := strings.Join(x.warnings(), "\n"); !strings.Contains(said, "kubernetes-1.17.4-el7-containerd-amd64 is not the installed bundle, kubernetes-1.17.4-el7-amd64: using the copies") {
		t.Errorf("no warning in %q", said)
	}
}

// TestLoadVerb: images that the kubelet removed come back from the archive.
func TestLoadVerb(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	x.stay(manifest.Master)
	all := x.images()
	if r, err := Load(t.Context(), x.h, x.loadRequest("")); err != nil || r.Changed || r.Images != len(controlPlane())+len(everywhere()) {
		t.Errorf("nothing to load: %+v, %v", r, err)
	}
	if _, err := x.h.Run(t.Context(), host.Command("docker", "-H", "unix:///var/run/docker.sock", "image", "rm", "nginx:1.14-alpine")); err != nil {
		t.Fatal(err)
	}
	if st, err := CheckStatus(t.Context(), x.h, x.statusRequest()); err == nil || st.Condition != Drifted {
		t.Errorf("an image is gone: %+v, %v", st, err)
	}
	r, err := Load(t.Context(), x.h, x.loadRequest(""))
	x.says(r, "all ", " images are loaded")
	if err != nil || !r.Changed || x.images() != all {
		t.Errorf("loaded: %+v, %v\n%s", r, err, difference(all, x.images()))
	}
}

// TestSmokeVerb: a cluster whose network does not work is no success.
func TestSmokeVerb(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	if _, err := Smoke(t.Context(), x.h, x.smokeRequest()); !errors.Is(err, errNotInstalled) {
		t.Errorf("never installed: %v", err)
	}
	x.stay(manifest.Master)
	l.api.mode = "iptables"
	r, err := Smoke(t.Context(), x.h, x.smokeRequest())
	if err == nil || !slices.ContainsFunc(x.said, func(e progress.Event) bool { return e.Kind == progress.Failed && e.Task == "proxy" }) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPlanVerb: a plan changes nothing, of a bare host and of an installed one.
func TestPlanVerb(t *testing.T) {
	t.Parallel()
	runtimes(t, func(t *testing.T, runtime string) {
		l := newLab(t, runtime)
		x := l.host("master1", "192.168.4.11")
		before := x.state()
		p, err := MakePlan(t.Context(), x.h, x.planRequest(manifest.Master))
		if err != nil || x.state() != before {
			t.Fatalf("%v; changed:\n%s", err, difference(before, x.state()))
		}
		var out strings.Builder
		if err := p.WriteText(&out); err != nil || !strings.Contains(out.String(), "kubeadm") {
			t.Errorf("%v\n%s", err, out.String())
		}
		x.stay(manifest.Master)
		before = x.state()
		if p, err = MakePlan(t.Context(), x.h, x.planRequest(manifest.Master)); err != nil || x.state() != before {
			t.Fatalf("%v; changed:\n%s", err, difference(before, x.state()))
		}
		for _, e := range p.Steps {
			if e.Status.State != step.Done {
				t.Errorf("%s is %s: %v", e.Step, e.Status.State, e.Status.What)
			}
		}
	})
}

// TestSmokeListed: a host of the list that has not joined yet stops no first
// master, and fails the test of the cluster.
func TestSmokeListed(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	x.stay(manifest.Master, func(o *RunRequest) { o.Host.Hosts = []string{"master1=192.168.4.11=master", "node1=192.168.4.21"} })
	r, err := Smoke(t.Context(), x.h, x.smokeRequest())
	if err == nil || r == nil || !slices.ContainsFunc(x.said, func(e progress.Event) bool {
		return e.Kind == progress.Failed && e.Task == "nodes" && strings.Contains(e.Text, "node1 is not in the cluster")
	}) {
		t.Errorf("%+v, %v", r, err)
	}
	l.host("node1", "192.168.4.21").stay(manifest.Node)
	if r, err := Smoke(t.Context(), x.h, x.smokeRequest()); err != nil {
		t.Errorf("all have joined: %+v, %v", r, err)
	}
}

// TestNamedInterface: the interface that the operator names reaches the network,
// and a run that does not name it again leaves it there.
func TestNamedInterface(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	if _, err := x.run(manifest.Master, func(o *RunRequest) { o.Host.Interface = "eth0" }); err != nil {
		t.Fatal(err)
	}
	network := func() string {
		text, err := json.Marshal(l.api.get("daemonsets/kube-system/kube-flannel-ds"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := network(); !strings.Contains(got, `"--iface=eth0"`) {
		t.Errorf("the network is %s", got)
	}
	if r, err := x.run(manifest.Master); err != nil || len(r.Changed) > 0 {
		t.Errorf("without the flag: %+v, %v", r, err)
	}
	if got := network(); !strings.Contains(got, `"--iface=eth0"`) {
		t.Errorf("after a run without the flag the network is %s", got)
	}
}
