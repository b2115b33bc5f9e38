package kubeadm

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

func TestInit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, "/run/rules", userRules)
	before := w.m.State(t)
	s := Init(options())
	st := w.check(s)
	if st.State != step.ToDo || len(st.Diffs) != 1 || !strings.Contains(st.Diffs[0].After, "controlPlaneEndpoint: 192.168.4.11:6443") {
		t.Errorf("to do: %+v", st)
	}
	if len(w.m.Calls()) != 0 || w.m.State(t) != before {
		t.Error("the check of an empty host asked or changed something")
	}
	if err := w.run(s); err != nil {
		t.Fatal(err)
	}
	if w.called("kubeadm init --config /var/lib/kubecrate/kubeadm-init.yaml --skip-token-print") != 1 || w.called("kubeadm reset") != 0 {
		t.Errorf("calls: %v", w.m.Calls())
	}
	after := w.m.State(t)
	if err := w.run(s); err != nil || w.m.State(t) != after || w.called("kubeadm init") != 1 {
		t.Errorf("run again: %v, %v", err, w.m.Calls())
	}
	o := options()
	o.Cluster.PodCIDR, o.Node = "10.4.0.0/16", "other"
	if st := w.check(Init(o)); st.State != step.Done || len(st.Warnings) != 2 || !strings.Contains(st.Warnings[0], "10.244.0.0/16 and keeps it") {
		t.Errorf("another network asked for: %+v", st)
	}
	// Everything that reset has to know stands in the record.
	if err := w.undo(Init(Options{})); err != nil {
		t.Fatal(err)
	}
	if got := w.m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant\n%s", got, before)
	}
	calls := len(w.m.Calls())
	if err := w.undo(Init(Options{}), Join(JoinOptions{})); err != nil || len(w.m.Calls()) != calls {
		t.Errorf("undone twice: %v, %v", err, w.m.Calls()[calls:])
	}
	if err := w.run(s); err != nil {
		t.Errorf("made again: %v", err)
	}
}

// TestInitKilled kills kubeadm, and the installer with it, before each of its
// steps in turn: the same run again ends with a cluster, in one more try at most,
// and a reset from there or at once leads back.
func TestInitKilled(t *testing.T) {
	t.Parallel()
	for _, way := range []struct{ finish, rebooted bool }{{true, false}, {true, true}, {false, false}} {
		for at := 1; ; at++ {
			w := newWorld(t)
			w.m.Write(t, "/run/rules", userRules)
			before := strings.ReplaceAll(w.m.State(t), "boot-1", "")
			if at > len(w.initSteps()) {
				break
			}
			what := fmt.Sprintf("killed at %d, rebooted %v, finished %v", at, way.rebooted, way.finish)
			w.dieAt = at
			if err := w.run(Init(options())); !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", what, err)
			}
			if way.rebooted {
				w.m.Write(t, "/proc/sys/kernel/random/boot_id", "boot-2\n")
			}
			if way.finish {
				if err := w.run(Init(options())); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if st := w.check(Init(options())); st.State != step.Done {
					t.Errorf("%s: %+v", what, st)
				}
			}
			if err := w.undo(Init(Options{})); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got := strings.NewReplacer("boot-1", "", "boot-2", "").Replace(w.m.State(t)); got != before {
				t.Fatalf("%s: after reset\n%s\nwant\n%s", what, got, before)
			}
		}
	}
}

// TestInitKilledBetweenCalls ends the installer before each program it runs.
func TestInitKilledBetweenCalls(t *testing.T) {
	t.Parallel()
	for at := 0; at < 60; at++ {
		w := newWorld(t)
		w.dieAt = len(w.initSteps()) - 12 // and kubeadm before, so that there is something to take back
		if err := w.run(Init(options())); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		calls := 0
		w.m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		err := w.run(Init(options()))
		w.m.OnCall = nil
		if err == nil {
			return
		}
		if err := w.run(Init(options())); err != nil {
			t.Fatalf("killed at call %d: %v", at, err)
		}
	}
	t.Error("it takes more than 60 calls")
}

// TestInitUnnoted: kubeadm came to its end, and the installer died before it
// could note that. Nothing is taken back.
func TestInitUnnoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.OnCall = func(string) error { return nil }
	if err := w.run(Init(options())); err != nil {
		t.Fatal(err)
	}
	m := w.record()
	m.Completed, m.CAHash = false, ""
	w.write(m)
	if st := w.check(Init(options())); st.State != step.ToDo || !strings.Contains(st.What[0], "record that") {
		t.Errorf("%+v", st)
	}
	if err := w.run(Init(options())); err != nil || w.called("kubeadm reset") != 0 || w.called("kubeadm init") != 1 {
		t.Errorf("%v, %v", err, w.m.Calls())
	}
	// After a boot, the API server is waited for before anything is judged.
	w.write(m)
	w.up = false
	w.m.Write(t, "/proc/sys/kernel/random/boot_id", "boot-2\n")
	asked := 0
	w.m.OnCall = func(line string) error {
		if asked++; asked > 6 {
			w.up = true
		}
		return nil
	}
	if err := w.run(Init(options())); err != nil || w.called("kubeadm reset") != 0 || w.called("kubeadm init") != 1 {
		t.Errorf("%v, %v", err, w.m.Calls())
	}
}

func (w *world) record() *record {
	w.t.Helper()
	m, err := readRecord(w.h)
	if err != nil || m == nil {
		w.t.Fatalf("the record: %v, %v", m, err)
	}
	return m
}

func (w *world) write(m *record) {
	w.t.Helper()
	if err := m.write(w.h.With(unrecorded{})); err != nil {
		w.t.Fatal(err)
	}
}

// TestInitDown: a cluster that was made is waited for and never taken back.
func TestInitDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.run(Init(options())); err != nil {
		t.Fatal(err)
	}
	w.up, w.m.Units["kubelet.service"].Active = false, false
	if st := w.check(Init(options())); st.State != step.ToDo || !strings.Contains(st.What[0], "wait for the API server") {
		t.Errorf("%+v", st)
	}
	err := w.run(Init(options()))
	if err == nil || !strings.Contains(err.Error(), "did not answer within") || !strings.Contains(hint.Of(err), "journalctl -u kubelet") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	if !w.m.Units["kubelet.service"].Active || w.called("kubeadm reset") != 0 {
		t.Errorf("kubelet active: %v; %v", w.m.Units["kubelet.service"].Active, w.m.Calls())
	}
	asked := 0
	w.m.OnCall = func(string) error {
		if asked++; asked > 3 {
			w.up = true
		}
		return nil
	}
	if err := w.run(Init(options())); err != nil {
		t.Error(err)
	}
	w.m.Units["kubelet.service"].Active = false
	if err := w.run(Init(options())); err != nil || !w.m.Units["kubelet.service"].Active {
		t.Errorf("a kubelet that was stopped: %v", err)
	}
}

// TestInitRefuses: nothing that install did not make is touched.
func TestInitRefuses(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		prepare    func(*world)
		says, hint string
	}{
		"another's cluster": {func(w *world) { w.m.Write(t, AdminConf, w.kubeconfig()) }, "did not create left /etc/kubernetes/admin.conf", "kubeadm reset -f"},
		"another's data":    {func(w *world) { w.m.Write(t, "/var/lib/etcd/member/wal/0", "x") }, "left /var/lib/etcd/member", "kubeadm reset -f"},
		"a node of ours": {func(w *world) {
			w.write(&record{Verb: verbJoin, Completed: true, Cluster: "kubernetes", Endpoint: "192.168.4.9:6443"})
			w.m.Write(t, kubeletConf, w.kubeconfig())
		}, "already part of cluster kubernetes at 192.168.4.9:6443", "./install reset"},
		"another CA": {func(w *world) {
			made(w)
			w.m.Write(t, caFile, string(newCA(t)))
		}, "another cluster replaced", "kubeadm reset -f"},
		"no data": {func(w *world) {
			made(w)
			remove(w, etcdDir)
		}, "lacks /var/lib/etcd/member", "backup"},
		"no admin.conf": {func(w *world) {
			made(w)
			remove(w, AdminConf)
		}, "lacks /etc/kubernetes/admin.conf", "kubeadm init phase kubeconfig admin --config /var/lib/kubecrate/kubeadm-init.yaml"},
		"no manifest": {func(w *world) {
			made(w)
			remove(w, staticPods()[1])
		}, "lacks /etc/kubernetes/manifests/kube-apiserver.yaml", "kubeadm init phase control-plane all"},
		"a cluster that lived": {func(w *world) {
			made(w)
			m := w.record()
			m.Completed, m.Begun = false, time.Now().Add(-48*time.Hour)
			w.write(m)
			w.up = false
		}, "was started here at", "systemctl start kubelet"},
		"nodes joined": {func(w *world) {
			made(w)
			m := w.record()
			m.Completed = false
			w.write(m)
			delete(w.objects, "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy")
			w.objects["/api/v1/nodes"] = `{"items":[` + readyNode + `,` + strings.Replace(readyNode, "master1", "node1", 1) + `]}`
		}, "but node1 joined", "kubeadm init phase addon all"},
		"a certificate that ended": {func(w *world) {
			made(w)
			w.m.Programs["kubectl"] = func([]string, string) (string, error) {
				return "", &hosttest.Exit{Code: 1, Stderr: "Unable to connect to the server: x509: certificate has expired or is not yet valid"}
			}
		}, "are not valid at this host's time", "kubeadm alpha certs renew all"},
	} {
		w := newWorld(t)
		c.prepare(w)
		before, calls := w.m.State(t), w.called("kubeadm")
		st := w.check(Init(options()))
		if st.State != step.Impossible || !strings.Contains(st.What[0], c.says) || !strings.Contains(st.Hint, c.hint) {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(Init(options())); err == nil || w.m.State(t) != before || w.called("kubeadm") != calls {
			t.Errorf("%s: %v; touched: %v", what, err, w.m.Calls())
		}
	}
}

func made(w *world) {
	w.t.Helper()
	if err := w.run(Init(options())); err != nil {
		w.t.Fatal(err)
	}
}

func remove(w *world, path string) {
	w.t.Helper()
	if err := os.RemoveAll(w.h.Path(path)); err != nil {
		w.t.Fatal(err)
	}
}

// TestUndoRefuses: a reset leaves a cluster that somebody put in place of ours.
func TestUndoRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	w.m.Write(t, caFile, string(newCA(t)))
	before := w.m.State(t)
	if err := w.undo(Init(Options{})); err == nil || !strings.Contains(hint.Of(err), "kubeadm reset -f") || w.m.State(t) != before {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	other := newWorld(t)
	other.m.Write(t, AdminConf, other.kubeconfig())
	before = other.m.State(t)
	if err := other.undo(Init(Options{}), Join(JoinOptions{})); err != nil || other.m.State(t) != before || len(other.m.Calls()) > 0 {
		t.Errorf("a cluster that was never ours: %v", err)
	}
}

// TestGivenCA: a CA that was given survives tries that fail, and a reset.
func TestGivenCA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, caFile, string(w.ca), pkiDir+"/ca.key", "given", "/run/rules", userRules)
	before := w.m.State(t)
	w.dieAt = 9
	if err := w.run(Init(options())); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if err := w.run(Init(options())); err != nil || w.called("kubeadm reset -f --cri-socket /var/run/dockershim.sock --cert-dir") != 1 {
		t.Fatalf("%v, %v", err, w.m.Calls())
	}
	if err := w.undo(Init(Options{})); err != nil {
		t.Fatal(err)
	}
	if got := w.m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant\n%s", got, before)
	}
}

// TestInitWorking: a kubeadm that a killed install left behind is waited for.
func TestInitWorking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, "/proc/12/cmdline", "")
	w.m.Process(t, 1, 0, "/usr/lib/systemd/systemd", "/sbin/init")
	w.m.Process(t, 13, 1000, "/usr/bin/kubeadm", "/usr/bin/kubeadm", "init")
	w.m.Process(t, 14, 0, "/usr/bin/sleep", "/usr/bin/kubeadm", "init")
	w.m.Process(t, 4711, 0, "/usr/bin/kubeadm", "/usr/bin/kubeadm", "init", "--config", "x")
	if st := w.check(Init(options())); st.State != step.ToDo || !strings.Contains(st.What[0], "process 4711") {
		t.Errorf("%+v", st)
	}
	err := w.run(Init(options()))
	if err == nil || !strings.Contains(hint.Of(err), "kill 4711") || w.called("kubeadm") != 0 {
		t.Errorf("%v (%s), %v", err, hint.Of(err), w.m.Calls())
	}
	o := options()
	o.Limits.Process = 10 * time.Second
	go func() {
		time.Sleep(20 * time.Millisecond)
		_ = os.RemoveAll(w.h.Path("/proc/4711"))
	}()
	if err := w.run(Init(o)); err != nil {
		t.Error(err)
	}
}

func TestInitImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := options()
	o.Images = []string{"k8s.gcr.io/kube-apiserver:v1.17.4"}
	err := w.run(Init(o))
	if err == nil || !strings.Contains(err.Error(), "lacks images that kubeadm runs: k8s.gcr.io/pause:3.1") || w.called("kubeadm init") != 0 {
		t.Errorf("%v", err)
	}
	o.Images = append(o.Images, "k8s.gcr.io/pause:3.1")
	if err := w.run(Init(o)); err != nil {
		t.Error(err)
	}
}

func TestInitFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail = &hosttest.Exit{Code: 1, Stderr: "error execution phase preflight: [preflight] Some fatal errors occurred:\n" +
		"\t[ERROR Swap]: running with swap on is not supported. Please disable swap\n\t[ERROR Port-6443]: Port 6443 is in use\n[preflight] If you know what you are doing"}
	err := w.run(Init(options()))
	if err == nil || !strings.Contains(err.Error(), "kubeadm refuses to init: running with swap on") || !strings.Contains(err.Error(), "Port 6443 is in use") {
		t.Errorf("%v", err)
	}
	if got := hint.Of(err); got != "swapoff -a; ss -lntp shows which program listens there; stop it" {
		t.Errorf("hint: %s", got)
	}
	w.fail = nil
	if err := w.run(Init(options())); err != nil {
		t.Error(err)
	}
}

// unrecorded lets a test write as a step does.
type unrecorded struct{ recorder }

func TestRecordDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, recordFile, "{")
	for _, s := range []step.Step{Init(options()), Join(JoinOptions{Options: options()})} {
		if _, err := s.Check(t.Context(), w.h); err == nil || hint.Of(err) == "" {
			t.Errorf("%s: %v", s.Name(), err)
		}
	}
	w.m.Write(t, recordFile, `{"verb":"upgrade"}`)
	if _, err := readRecord(w.h); err == nil || !strings.Contains(err.Error(), "upgrade") {
		t.Error(err)
	}
}
