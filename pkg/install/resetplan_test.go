package install

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/step"
)

// TestResetPlan: it says what would go, and changes nothing.
func TestResetPlan(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	master, node := l.host("master1", "192.168.4.11"), l.host("node1", "192.168.4.21")
	p, err := PlanReset(master.h, master.resetRequest(false))
	if err != nil || !p.Empty || p.Controls() {
		t.Errorf("a bare host: %+v, %v", p, err)
	}
	master.stay(manifest.Master)
	node.stay(manifest.Node)
	before := master.state()
	if p, err = PlanReset(master.h, master.resetRequest(false)); err != nil || p.Empty || !p.Controls() || p.Node != "master1" || p.Role != manifest.Master {
		t.Fatalf("a master: %+v, %v", p, err)
	}
	if !strings.Contains(p.Losing[0], "etcd") || !slices.ContainsFunc(p.Changes, func(c step.Change) bool { return c.Step == "hosts" && c.Undo == "restore /etc/hosts" }) {
		t.Errorf("a master: %+v", p)
	}
	var out strings.Builder
	if err := p.WriteText(&out); err != nil || !strings.Contains(out.String(), "role master, node master1") || master.state() != before {
		t.Errorf("%v\n%s", err, out.String())
	}
	if p, err = PlanReset(node.h, node.resetRequest(true)); err != nil || p.Controls() || slices.ContainsFunc(p.Losing, func(s string) bool { return strings.Contains(s, "packages") }) {
		t.Errorf("a node that keeps its packages: %+v, %v", p, err)
	}
}

// TestStatusNever: a host that was never installed is not as it should be.
func TestStatusNever(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("node1", "192.168.4.21")
	st, err := CheckStatus(t.Context(), x.h, x.statusRequest())
	if !errors.Is(err, errNotInstalled) || hint.Of(err) == "" || st.Condition != NotInstalled {
		t.Errorf("%+v, %v", st, err)
	}
	release, err := hostlock.Take(x.h)
	if err != nil {
		t.Fatal(err)
	}
	if st, err = CheckStatus(t.Context(), x.h, x.statusRequest()); !errors.Is(err, hostlock.ErrBusy) || st.Condition != AtWork {
		t.Errorf("at work: %+v, %v", st, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

// TestLoadBare: without a runtime that answers nothing is kept on the host, and
// what was loaded on a host that was never installed is taken back by reset.
func TestLoadBare(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("node1", "192.168.4.21")
	_, err := Load(t.Context(), x.h, x.loadRequest(manifest.Node))
	if err == nil || !strings.Contains(err.Error(), "docker does not respond") || hint.Of(err) == "" {
		t.Errorf("no runtime: %v (%s)", err, hint.Of(err))
	}
	if ok, err := x.h.Exists(step.Dir); ok || err != nil {
		t.Errorf("no runtime: %s is there, %v", step.Dir, err)
	}
	l.host("master1", "192.168.4.11").stay(manifest.Master)
	x.stay(manifest.Node)
	if _, err := Reset(t.Context(), x.h, x.resetRequest(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := x.h.Run(t.Context(), host.Command("systemctl", "start", "docker.service")); err != nil {
		t.Fatal(err)
	}
	before, images := x.state(), x.images()
	r, err := Load(t.Context(), x.h, x.loadRequest(manifest.Node))
	if err != nil || !r.Changed || x.images() == images {
		t.Fatalf("%+v, %v", r, err)
	}
	p, err := PlanReset(x.h, x.resetRequest(false))
	if err != nil || p.Empty || p.Controls() || len(p.Losing) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	u, err := Reset(t.Context(), x.h, x.resetRequest(false))
	if err != nil || u.Empty || x.images() != images || x.state() != before {
		t.Errorf("%+v, %v\n%s", u, err, difference(before, x.state()))
	}
	if ok, err := x.h.Exists(step.Dir); ok || err != nil {
		t.Errorf("after a reset: %s is there, %v", step.Dir, err)
	}
	// While the runtime is away they cannot be taken out, and are not forgotten.
	if _, err := Load(t.Context(), x.h, x.loadRequest(manifest.Node)); err != nil {
		t.Fatal(err)
	}
	x.m.Units["docker.service"].Active = false
	if _, err := Reset(t.Context(), x.h, x.resetRequest(false)); err == nil || !strings.Contains(hint.Of(err), "systemctl start docker") {
		t.Errorf("away: %v (%s)", err, hint.Of(err))
	}
	if _, err := x.h.ReadFile(step.Dir + "/images.json"); errors.Is(err, fs.ErrNotExist) {
		t.Error("what was loaded is forgotten")
	}
}
