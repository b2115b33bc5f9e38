package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/step"
)

// old gives a host the journal and the state that the release wrote for it which
// noted no beginning of a step. They are copies, but for two words: the stick's
// folder, which is STICK, and the hash of the administrator's kubeconfig.
func (x *machine) old(name string) {
	t := x.l.t
	t.Helper()
	for _, file := range []string{"journal.jsonl", "install.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "journal-1", name, file))
		if err != nil {
			t.Fatal(err)
		}
		replaced := strings.NewReplacer("/STICK", x.l.stick, "KUBECONFIG", sha([]byte(x.m.Read(t, "/root/.kube/config")))).Replace(string(text))
		x.m.Write(t, step.Dir+"/"+file, replaced)
	}
	if len(x.begun()) > 0 {
		t.Errorf("the journal of %s is no old one", name)
	}
}

// begun lists the begin records of the journal.
func (x *machine) begun() (names []string) {
	for line := range strings.Lines(x.m.Read(x.l.t, step.Dir+"/journal.jsonl")) {
		var r struct{ Begin string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			x.l.t.Fatal(err)
		}
		if r.Begin != "" {
			names = append(names, r.Begin)
		}
	}
	return names
}

// TestOldJournal: a host that the release before installed is understood by every
// verb, and reset leads to its first state.
func TestOldJournal(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	master, node := l.host("master1", "192.168.4.11"), l.host("node1", "192.168.4.21")
	before := map[*machine]string{master: master.state(), node: node.state()}
	master.stay(manifest.Master)
	node.stay(manifest.Node)
	master.old("master")
	node.old("node")
	for _, x := range []*machine{master, node} {
		st, err := CheckStatus(t.Context(), x.h, x.statusRequest())
		if err != nil || st.Condition != Installed {
			t.Errorf("%s: %v, %+v", x.name, err, st)
		}
		plan, err := MakePlan(t.Context(), x.h, x.planRequest(""))
		if err != nil || slices.ContainsFunc(plan.Steps, func(e step.Event) bool { return e.Status.State != step.Done }) {
			t.Errorf("%s: %v, %+v", x.name, err, plan)
		}
		p, err := PlanReset(x.h, x.resetRequest(false))
		if err != nil || p.Node != x.name || !slices.Contains(p.Changes, step.Change{Step: "hosts", Undo: "restore /etc/hosts"}) {
			t.Errorf("%s: %v, %+v", x.name, err, p)
		}
		if r, err := x.run(""); err != nil || len(r.Changed) > 0 || len(x.begun()) > 0 {
			t.Errorf("%s again: %v, %+v, begun %v", x.name, err, r, x.begun())
		}
	}
	node.leave(before[node])
	master.leave(before[master])
}

// TestOldJournalGoesOn: a verb that begins a step notes those first that the
// release before did not, and reset then undoes all of them.
func TestOldJournalGoesOn(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeContainerd)
	x := l.host("one", "192.168.4.31")
	before := x.state()
	x.stay(manifest.Single)
	x.old("single")
	if _, err := x.ticket(TicketRequest{TTL: 3 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(x.begun(), " "); got != "hosts firewall selinux swap modules sysctl ipvs route packages time containerd kubelet images vip identity init join kubeconfig dns ticket" {
		t.Errorf("begun: %s", got)
	}
	x.leave(before)
}

// TestOldJournalUnfinished: a run that the release before began is brought to its
// end by this one, or undone.
func TestOldJournalUnfinished(t *testing.T) {
	t.Parallel()
	for _, finish := range []bool{true, false} {
		l := newLab(t, manifest.RuntimeDocker)
		x := l.host("master1", "192.168.4.11")
		before := x.state()
		x.dieAt = "kubeadm init"
		if _, err := x.run(manifest.Master); err == nil {
			t.Fatal("it was not killed")
		}
		x.old("unfinished")
		if st, err := CheckStatus(t.Context(), x.h, x.statusRequest()); err == nil || st.Condition != Unfinished {
			t.Errorf("%v, %+v", err, st)
		}
		if finish {
			x.stay(manifest.Master)
			if got := x.begun(); len(got) < 2 || got[0] != "hosts" || !slices.Contains(got, "network") {
				t.Errorf("begun: %v", got)
			}
		}
		x.leave(before)
	}
}

// TestLoadedBefore: images that were loaded before anything was installed are
// taken out again, though a journal of the release before says nothing of them.
func TestLoadedBefore(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		old, install := i%2 == 0, i/2 == 0
		l := newLab(t, manifest.RuntimeDocker)
		l.host("master1", "192.168.4.11").stay(manifest.Master)
		x := l.host("node1", "192.168.4.21")
		x.stay(manifest.Node)
		if _, err := Reset(t.Context(), x.h, x.resetRequest(true)); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"enable", "start"} { // docker runs, as somebody else may have it
			if _, err := x.h.Query(t.Context(), "systemctl", verb, "docker.service"); err != nil {
				t.Fatal(err)
			}
		}
		before, images := x.state(), x.images()
		if _, err := Load(t.Context(), x.h, x.loadRequest(manifest.Node)); err != nil || x.images() == images {
			t.Fatal(err)
		}
		if old {
			x.m.Write(t, step.Dir+"/journal.jsonl", "")
		}
		if install {
			x.stay(manifest.Node)
		}
		u, err := Reset(t.Context(), x.h, x.resetRequest(false))
		if err != nil || u.Empty || x.images() != images || x.state() != before {
			t.Errorf("old %v, installed %v: %+v, %v\n%s", old, install, u, err, difference(before, x.state()))
		}
	}
}

// TestLoadedBeforeItStopped: images that were loaded before the installation are
// removed while their runtime, which the installation started, still runs.
func TestLoadedBeforeItStopped(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	l.host("master1", "192.168.4.11").stay(manifest.Master)
	x := l.host("node1", "192.168.4.21")
	x.stay(manifest.Node)
	if _, err := Reset(t.Context(), x.h, x.resetRequest(true)); err != nil {
		t.Fatal(err)
	}
	systemctl := func(verb string) {
		if _, err := x.h.Query(t.Context(), "systemctl", verb, "docker.service"); err != nil {
			t.Fatal(err)
		}
	}
	before := x.state()
	systemctl("start")
	if _, err := Load(t.Context(), x.h, x.loadRequest(manifest.Node)); err != nil {
		t.Fatal(err)
	}
	systemctl("stop") // as a boot does, since it is not enabled
	x.stay(manifest.Node)
	if u := x.leave(before); len(u.Kept) > 0 {
		t.Errorf("kept: %v", u.Kept)
	}
}
