package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

// node is what a host that joins w's cluster is to be.
func (w *world) node() JoinOptions {
	o := JoinOptions{Options: options(), Ticket: ticket()}
	o.Node, o.Address = "node1", netip.MustParseAddr("192.168.4.21")
	o.Ticket.CACertHashes = []string{w.caHash()}
	o.Ticket.PodCIDR = "10.244.0.0/16"
	return o
}

// join is Join with a master that answers as that of w's cluster.
func (w *world) join(o JoinOptions) step.Step {
	return joinStep{o: o, ask: func(context.Context, string) (*answer, error) {
		return &answer{cluster: cluster{server: "https://192.168.4.11:6443", caHash: w.caHash()}, tokens: map[string]bool{"abcdef": true}}, nil
	}}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, "/run/rules", userRules)
	before := w.m.State(t)
	s := w.join(w.node())
	st := w.check(s)
	if st.State != step.ToDo || !strings.Contains(st.What[0], "a node of cluster kubernetes at 192.168.4.11:6443") || len(w.m.Calls()) != 0 {
		t.Errorf("to do: %+v", st)
	}
	if err := w.run(s); err != nil {
		t.Fatal(err)
	}
	w.noSecret("abcdef.0123456789abcdef")
	if len(w.seen) != 1 || !strings.Contains(w.seen[0], "token: abcdef.0123456789abcdef") {
		t.Errorf("kubeadm read %q", w.seen)
	}
	after := w.m.State(t)
	if err := w.run(s); err != nil || w.m.State(t) != after || w.called("kubeadm join") != 1 {
		t.Errorf("run again: %v", err)
	}
	expired := w.node()
	expired.Ticket.Expires = "2020-05-01T12:00:00Z"
	if st := w.check(w.join(expired)); st.State != step.Done {
		t.Errorf("a ticket that expired, where it is not needed: %+v", st)
	}
	w.m.Units["kubelet.service"].Active = false
	if err := w.run(s); err != nil || !w.m.Units["kubelet.service"].Active {
		t.Errorf("a kubelet that was stopped: %v", err)
	}
	w.m.Write(t, joinConfigFile, "token: abcdef.0123456789abcdef")
	if err := w.run(s); err != nil {
		t.Error(err)
	}
	w.noSecret("abcdef.0123456789abcdef")
	if err := w.undo(Init(Options{}), Join(JoinOptions{})); err != nil {
		t.Fatal(err)
	}
	if got := w.m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant\n%s", got, before)
	}
}

func TestJoinKilled(t *testing.T) {
	t.Parallel()
	for _, finish := range []bool{true, false} {
		for at := 1; ; at++ {
			w := newWorld(t)
			if at > len(w.joinSteps()) {
				break
			}
			w.m.Write(t, "/run/rules", userRules)
			before := w.m.State(t)
			what := fmt.Sprintf("killed at %d, finished %v", at, finish)
			w.dieAt = at
			if err := w.run(w.join(w.node())); !errors.Is(err, errKilled) {
				t.Fatalf("%s: %v", what, err)
			}
			// A kill leaves the file that only kubeadm is to read.
			w.m.Write(t, joinConfigFile, "token: abcdef.0123456789abcdef")
			if finish {
				if err := w.run(w.join(w.node())); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if st := w.check(w.join(w.node())); st.State != step.Done {
					t.Errorf("%s: %+v", what, st)
				}
				// From the moment that the API server knows the node, nothing is taken back.
				if resets := w.called("kubeadm reset"); at > 7 && resets > 0 {
					t.Errorf("%s: %d resets", what, resets)
				}
				w.noSecret("abcdef.0123456789abcdef")
			}
			if err := w.undo(Join(JoinOptions{})); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got := w.m.State(t); got != before {
				t.Fatalf("%s: after reset\n%s\nwant\n%s", what, got, before)
			}
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	other := newWorld(t)
	for what, c := range map[string]struct {
		prepare    func(*world, *JoinOptions)
		says, hint string
	}{
		"no ticket": {func(_ *world, o *JoinOptions) { o.Ticket = nil }, "no ticket names", "--ticket FILE"},
		"expired": {func(_ *world, o *JoinOptions) {
			o.Ticket.Expires = time.Now().Add(-90 * time.Minute).UTC().Format(time.RFC3339)
		}, "the ticket expired 1h30m", "./install ticket"},
		"another version": {func(_ *world, o *JoinOptions) { o.Ticket.Kubernetes = "v1.18.0" }, "runs Kubernetes v1.18.0, and this archive has v1.17.4", "archive"},
		"no key":          {func(_ *world, o *JoinOptions) { o.ControlPlane = true }, "does not let further masters join", "--control-plane"},
		"by hand, another cluster": {func(w *world, _ *JoinOptions) {
			w.m.Write(t, kubeletConf, other.kubeconfig(), kubeletConfig, "x")
		}, "did not create left /etc/kubernetes/kubelet.conf", "kubeadm reset -f"},
		"by us, another cluster": {func(w *world, o *JoinOptions) {
			if err := w.run(w.join(*o)); err != nil {
				t.Fatal(err)
			}
			o.Ticket.CACertHashes = []string{other.caHash()}
		}, "in another cluster than the ticket's, at https://192.168.4.11:6443", "./install reset"},
		"a master": {func(w *world, _ *JoinOptions) { made(w) }, "by kubeadm init", "./install reset"},
		"half, by hand": {func(w *world, _ *JoinOptions) {
			w.m.Write(t, caFile, string(other.ca))
		}, "did not create left /etc/kubernetes/pki/ca.crt", "kubeadm reset -f"},
		"lost its configuration": {func(w *world, o *JoinOptions) {
			if err := w.run(w.join(*o)); err != nil {
				t.Fatal(err)
			}
			remove(w, kubeletConfig)
		}, "is incomplete: no /var/lib/kubelet/config.yaml", "./install reset"},
	} {
		w := newWorld(t)
		o := w.node()
		c.prepare(w, &o)
		before, calls := w.m.State(t), w.called("kubeadm")
		st := w.check(w.join(o))
		if st.State != step.Impossible || !strings.Contains(st.What[len(st.What)-1], c.says) || !strings.Contains(st.Hint, c.hint) {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(w.join(o)); err == nil || w.m.State(t) != before || w.called("kubeadm") != calls {
			t.Errorf("%s: %v; touched: %v", what, err, w.m.Calls())
		}
	}
}

// TestJoinByHand: who joined the ticket's cluster without install has joined,
// and a reset leaves that.
func TestJoinByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, kubeletConf, w.kubeconfig(), kubeletConfig, "x", caFile, string(w.ca))
	w.m.Units["kubelet.service"].Active = true
	before := w.m.State(t)
	if st := w.check(w.join(w.node())); st.State != step.Done {
		t.Errorf("%+v", st)
	}
	if err := w.undo(w.join(w.node())); err != nil || w.m.State(t) != before {
		t.Errorf("undone: %v", err)
	}
}

// TestJoinUnreached: a node that may be whole is not taken back only because its
// master does not answer.
func TestJoinUnreached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dieAt = 8 // the node is made, and kubeadm did not live to tidy up
	if err := w.run(w.join(w.node())); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.up = false
	if st := w.check(w.join(w.node())); st.State != step.ToDo || !strings.Contains(st.What[0], "wait for the API server") {
		t.Errorf("%+v", st)
	}
	if err := w.run(w.join(w.node())); err == nil || !strings.Contains(err.Error(), "did not answer within") || w.called("kubeadm reset") != 0 {
		t.Errorf("%v, %v", err, w.m.Calls())
	}
	w.up = true
	w.objects["/healthz"] = "ok"
	if err := w.run(w.join(w.node())); err != nil || w.called("kubeadm reset") != 0 || w.called("kubeadm join") != 1 {
		t.Errorf("%v, %v", err, w.m.Calls())
	}
}

// TestJoinMaster: a further master is whole when it is marked as one.
func TestJoinMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.node()
	o.ControlPlane = true
	o.Ticket.CertificateKey = strings.Repeat("0a", 32)
	if st := w.check(w.join(o)); !strings.Contains(st.What[0], "a further master") {
		t.Errorf("%+v", st)
	}
	list := w.joinSteps()
	w.m.Programs["kubeadm"] = func(args []string, stdin string) (string, error) {
		if args[0] != "join" {
			return w.kubeadm(args, stdin)
		}
		w.config(args)
		for _, pod := range append(staticPods(), etcdMember) {
			list = append(list, w.file(pod, "x"))
		}
		return w.steps(append(list, w.file(AdminConf, w.kubeconfig())))
	}
	if err := w.run(w.join(o)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.seen[0], "certificateKey: 0a0a") {
		t.Errorf("kubeadm read %s", w.seen[0])
	}
	w.noSecret("abcdef.0123456789abcdef", o.Ticket.CertificateKey)
	m := w.record()
	m.Completed = false
	w.write(m)
	if err := w.run(w.join(o)); err != nil || w.called("kubeadm reset") != 0 {
		t.Errorf("not noted: %v", err)
	}
	w.write(m)
	w.objects["/api/v1/nodes/node1"] = `{"metadata":{"name":"node1"}}`
	if st := w.check(w.join(o)); st.State != step.ToDo || !strings.Contains(st.What[0], "not marked as a master") {
		t.Errorf("half: %+v", st)
	}
}

// TestJoinFails: kubeadm's words reach the operator, without the token.
func TestJoinFails(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]struct{ says, hint string }{
		`error execution phase preflight: couldn't validate the identity of the API Server: abort connecting to API servers after timeout of 5m0s`:                             {"did not accept the ticket", "./install ticket"},
		`token id "abcdef" is invalid for this cluster or it has expired, token abcdef.0123456789abcdef`:                                                                       {"no longer valid", "./install ticket"},
		`error execution phase kubelet-start: timed out waiting for the condition`:                                                                                             {"the kubelet did not start in time", "journalctl -u kubelet"},
		`error execution phase kubelet-start: a Node with name "node1" and status "Ready" already exists in the cluster. You must delete the existing Node or change the name`: {"has a Ready node of this name", "kubectl delete node"},
		"W1124 21:06:31.664331   26564 validation.go:28] Cannot validate\nsomething else\nTo see the stack trace of this error execute with --v=5 or higher":                   {"kubeadm-join.yaml: exit status 1:\nsomething else", "journalctl"},
	} {
		w := newWorld(t)
		w.fail = &hosttest.Exit{Code: 1, Stderr: said}
		err := w.run(w.join(w.node()))
		if err == nil || !strings.Contains(err.Error(), want.says) || !strings.Contains(hint.Of(err), want.hint) || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: %v (%s)", said, err, hint.Of(err))
		}
		w.noSecret("abcdef.0123456789abcdef")
	}
}

func TestWaitMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.node()
	good := &answer{cluster: cluster{caHash: w.caHash()}, tokens: map[string]bool{"abcdef": true}}
	waited := 0
	wait := func(answers ...any) error {
		i := -1
		return o.waitMaster(t.Context(), o.Ticket, func(context.Context, string) (*answer, error) {
			i = min(i+1, len(answers)-1)
			if err, ok := answers[i].(error); ok {
				return nil, err
			}
			a, _ := answers[i].(*answer)
			return a, nil
		}, func(context.Context) { waited++ })
	}
	unsigned := &answer{cluster: good.cluster}
	if err := wait(good); err != nil || waited != 0 {
		t.Errorf("%v, waited %d", err, waited)
	}
	if err := wait(errors.New("refused"), errNotYet, unsigned, good); err != nil || waited != 1 {
		t.Errorf("%v, waited %d", err, waited)
	}
	if err := wait(errors.New("refused")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
	if err := wait(unsigned); !errors.Is(err, errToken) || hint.Of(err) != hintTicket {
		t.Errorf("a token that was revoked: %v", err)
	}
	var coder interface{ ExitCode() int }
	if err := wait(&answer{cluster: cluster{caHash: "sha256:00"}}, good); !errors.Is(err, errOther) || hint.Of(err) != hintTicket || !errors.As(err, &coder) || coder.ExitCode() != 4 {
		t.Errorf("another cluster: %v", err)
	}
	clock := &ClockError{Now: time.Now()}
	if err := wait(clock, good); !errors.Is(err, clock) {
		t.Errorf("a wrong clock: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := o.waitMaster(ctx, o.Ticket, func(context.Context, string) (*answer, error) { return nil, errNotYet }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
