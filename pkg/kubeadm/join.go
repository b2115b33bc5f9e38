package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// JoinOptions say how a host joins a cluster. Ticket nil is for undoing only.
// ControlPlane makes the host a further master, for which the ticket carries a
// certificate key, unless Authority says that the keys of the CAs lie on the host
// already. Waiting, if it is set, is called once before the master is waited for.
type JoinOptions struct {
	Options
	Ticket       *manifest.Ticket
	ControlPlane bool
	Authority    bool
	Waiting      func(context.Context)
}

// Join is the step that brings the host into the ticket's cluster by kubeadm
// join, once its API server answers. An unfinished attempt is completed if only the
// last part is missing, otherwise undone and repeated.
func Join(o JoinOptions) step.Step {
	return joinStep{o: o, ask: func(ctx context.Context, endpoint string) (*answer, error) {
		return probe(ctx, o.Dialer, endpoint)
	}}
}

type joinStep struct {
	o   JoinOptions
	ask asker
}

func (joinStep) Name() string { return "join" }

func (s joinStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	f, err := s.judge(ctx, h)
	if err != nil {
		return st, err
	}
	switch f.is {
	case done:
	case refused:
		st.State, st.What, st.Hint = step.Impossible, []string{f.why}, f.hint
	case nothing, half:
		if s.o.Ticket == nil {
			return step.Cannot("--ticket FILE, or --master HOST --token TOKEN --ca-cert-hash HASH", "no ticket names the cluster to join"), nil
		}
		if why, fix := usable(&s.o.Options, s.o.Ticket, time.Now()); why != "" {
			return step.Cannot(fix, "%s", why), nil
		}
		if f.is == half {
			st.Todo("undo an unfinished kubeadm join (%s) with kubeadm reset -f", f.why)
		}
		as := "a node"
		if s.o.ControlPlane {
			as = "a further master"
		}
		st.Todo("run kubeadm join to make this host %s of cluster %s at %s", as, s.o.Ticket.Cluster, manifest.HostPort(s.o.Ticket.Endpoint))
		if s.o.ControlPlane && !s.o.Authority && s.o.Ticket.CertificateKey == "" {
			return step.Cannot("on the master: ./install ticket --control-plane, then carry the new join.yaml here", "the ticket does not let further masters join"), nil
		}
	case busy, down, unnoted:
		st.Todo("%s", f.why)
	}
	return st, nil
}

func (s joinStep) Apply(ctx context.Context, h *host.Host) error {
	return s.o.reconcile(ctx, h, handlers{
		verb: verbJoin, what: "node",
		judge:  func() (state, error) { return s.judge(ctx, h) },
		revive: func() error { return s.revive(ctx, h) },
		note:   func(m *record) error { return s.finish(ctx, h, m) },
		takeBack: func(m *record) error {
			s.o.note("join", "undoing an unfinished kubeadm join")
			return s.o.tearDown(ctx, h, m)
		},
		begin: func(f state) error { return s.begin(ctx, h, f) },
	})
}

// judge determines the state of a host that is to join.
func (s joinStep) judge(ctx context.Context, h *host.Host) (state, error) {
	in, err := clusterIn(h, kubeletConf)
	if err != nil {
		return state{}, err
	}
	f, decided, err := s.o.find(h, verbJoin, s.o.Authority)
	if err != nil {
		return f, err
	}
	// A host that joined this cluster by hand has joined it.
	byHand := f.is == refused && f.record == nil && in.caHash != "" && s.o.Ticket != nil && slices.Contains(s.o.Ticket.CACertHashes, in.caHash)
	if decided && !byHand {
		return f, nil
	}
	if in.caHash != "" && s.o.Ticket != nil && !slices.Contains(s.o.Ticket.CACertHashes, in.caHash) {
		return refuse(hintOurs, "this host is in another cluster than the ticket's, at %s", in.server), nil
	}
	if byHand {
		f = state{}
		return s.running(ctx, h, f)
	}
	ended, why, err := s.ended(ctx, h, f)
	switch {
	case errors.Is(err, kubectl.ErrUnreached):
		f.is, f.why = down, "wait for the API server, which does not answer: kubeadm join may have finished"
		return f, nil
	case err != nil:
		return f, err
	case !ended && f.record.Completed && f.leftovers.has(kubeletConf):
		return refuse("./install reset --plan, then ./install reset --yes and the same command again", "the node on this host is incomplete: %s", why), nil
	case !ended:
		f.is, f.why = half, why
		return f, nil
	case !f.record.Completed:
		f.is, f.why = unnoted, "record that kubeadm join finished"
		return f, nil
	}
	if left, err := h.Exists(joinConfigFile); err != nil || left {
		f.is, f.why = unnoted, "remove "+joinConfigFile+", which holds a secret"
		return f, err
	}
	return s.running(ctx, h, f)
}

// running is the state of a node that has joined.
func (s joinStep) running(ctx context.Context, h *host.Host, f state) (state, error) {
	u, err := h.Unit(ctx, kubeletUnit)
	f.is = done
	if !u.Active {
		f.is, f.why = down, "start "+kubeletUnit
	}
	return f, err
}

// ended reports whether kubeadm join finished. The kubelet writes kubelet.conf when
// it has its certificate, and kubeadm then removes the bootstrap credentials; a
// master is marked last.
func (s joinStep) ended(ctx context.Context, h *host.Host, f state) (ok bool, why string, err error) {
	want := []string{kubeletConf, kubeletConfig}
	if f.record.ControlPlane {
		want = append(append(want, AdminConf, etcdMember), staticPods()...)
	}
	if missing := f.leftovers.lacks(want...); len(missing) > 0 {
		return false, "no " + strings.Join(missing, ", "), nil
	}
	if f.record.Completed {
		return true, "", nil
	}
	if !f.record.ControlPlane && !f.leftovers.has(bootstrapConf) {
		return true, "", nil
	}
	kubeconfig := kubeletConf
	if f.record.ControlPlane {
		kubeconfig = AdminConf
	}
	var n apiNode
	switch err := through(kubeconfig).Object(ctx, h, nodePath(f.record.Node), &n); {
	case ctx.Err() != nil:
		return false, "", context.Cause(ctx)
	case errors.Is(err, kubectl.ErrUnreached):
		return false, "", err
	case err != nil:
		return false, fmt.Sprintf("the API server has no node %s", f.record.Node), nil
	case f.record.ControlPlane && !n.controlPlane():
		return false, "the node is not marked as a master", nil
	}
	return true, "", nil
}

// begin runs kubeadm join. The record is written first.
func (s joinStep) begin(ctx context.Context, h *host.Host, f state) (err error) {
	t := s.o.Ticket
	if t == nil {
		return errors.New("no ticket")
	}
	if err := s.o.waitMaster(ctx, t, s.ask, s.o.Waiting); err != nil {
		return err
	}
	config, err := joinConfig(s.o.Options, t, s.o.ControlPlane)
	if err != nil {
		return err
	}
	m, err := s.o.newRecord(ctx, h, verbJoin, f.leftovers, f.record)
	if err != nil {
		return err
	}
	m.Cluster, m.Endpoint, m.ControlPlane, m.CAHash = t.Cluster, manifest.HostPort(t.Endpoint), s.o.ControlPlane, t.CACertHashes[0]
	if t.PodCIDR != "" {
		m.PodCIDR = t.PodCIDR
	}
	if err := m.write(h); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.State().Remove(joinConfigFile)) }()
	if err := h.State().Write(joinConfigFile, config); err != nil {
		return err
	}
	s.o.note("join", "running kubeadm join, which takes about half a minute")
	argv := host.Command("kubeadm", "join", "--config", joinConfigFile)
	err = s.o.during(ctx, "join", "kubeadm join", func() error { return h.Change(ctx, argv, nil) })
	if err != nil {
		return s.o.explain(h, "join", err, t.Token, t.CertificateKey)
	}
	return s.finish(ctx, h, m)
}

// revive starts the kubelet of a node that has joined, and waits for its cluster.
func (s joinStep) revive(ctx context.Context, h *host.Host) error {
	if err := startKubelet(ctx, h); err != nil {
		return err
	}
	limits := s.o.Limits.withDefaults()
	if err := s.o.waitHealthy(ctx, h, "join", kubeletConf, limits.API); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return hint.With(fmt.Errorf("the API server did not answer within %s: %w", limits.API, err), "on the master: ./install status")
	}
	return nil
}

// finish records that the node exists, and removes the credentials that only
// joining needs.
func (s joinStep) finish(ctx context.Context, h *host.Host, m *record) error {
	if err := m.receive(ctx, h, kubeletConf); err != nil && ctx.Err() == nil {
		s.o.note("join", "cannot ask the cluster for its pod network; reset removes only rules and routes that it recognizes by name: %v", err)
	}
	if err := errors.Join(h.State().Remove(secretFiles()...), h.Clear(bootstrapConf)); err != nil {
		return err
	}
	m.Completed = true
	return m.write(h)
}

// Undo is step.Undoer's: it undoes a node that this step created.
func (s joinStep) Undo(ctx context.Context, h *host.Host) error {
	return undo(ctx, h, &s.o.Options, verbJoin)
}
