package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
)

// Init is the step that makes the host the first master of a cluster, by kubeadm
// init. A try that did not come to its end is taken back and made anew; a
// cluster that is only down is waited for; one that install did not make is
// never touched.
func Init(o Options) step.Step { return initStep{o} }

type initStep struct{ o Options }

func (initStep) Name() string { return "init" }

func (s initStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	f, err := s.judge(ctx, h)
	if err != nil {
		return st, err
	}
	st.Warnings = f.warnings
	switch f.is {
	case done:
	case refused:
		st.State, st.What, st.Hint = step.Impossible, []string{f.why}, f.hint
	case nothing:
		st.Todo("kubeadm init makes this host the first master of cluster %s, Kubernetes %s, at %s", s.o.Cluster.Name, s.o.Version, s.o.Endpoint())
		if slices.Contains(f.leftovers.authority, caFile) {
			st.What = append(st.What, "it takes the CA over that lies in "+pkiDir)
		}
		if s.o.Given != nil && s.o.Given.Expired(time.Now()) {
			st.Warn("the ticket that was made before the cluster expired at %s: a new one is written to the stick, for hosts that are visited after this one", s.o.Given.Expires)
		}
		if config, err := InitConfig(s.o); err == nil {
			before, err := h.Text(initConfigFile)
			if err != nil {
				return st, err
			}
			st.File(initConfigFile, before, string(config))
		}
	case half:
		st.Todo("an earlier kubeadm init did not come to its end (%s): kubeadm reset -f takes it back, and kubeadm init begins anew", f.why)
	case busy, down, unnoted:
		st.Todo("%s", f.why)
	}
	return st, nil
}

func (s initStep) Apply(ctx context.Context, h *host.Host) error {
	return s.o.reconcile(ctx, h, handlers{
		verb: verbInit, what: "cluster",
		judge:    func() (state, error) { return s.judge(ctx, h) },
		revive:   func() error { return s.revive(ctx, h) },
		note:     func(m *record) error { return s.complete(h, m) },
		takeBack: func(m *record) error { return s.takeBack(ctx, h, m) },
		begin:    func(f state) error { return s.begin(ctx, h, f) },
	})
}

// begin runs kubeadm init. The record is on the disk before.
func (s initStep) begin(ctx context.Context, h *host.Host, f state) error {
	config, err := InitConfig(s.o)
	if err != nil {
		return err
	}
	m, err := s.o.newRecord(ctx, h, verbInit, f.leftovers, f.record)
	if err != nil {
		return err
	}
	m.ControlPlane = true
	if err := h.State().Write(initConfigFile, config); err != nil {
		return err
	}
	if err := s.o.checkImages(ctx, h, initConfigFile); err != nil {
		return err
	}
	if err := m.write(h); err != nil {
		return err
	}
	if err := s.run(ctx, h); err != nil {
		return err
	}
	if err := s.complete(h, m); err != nil {
		return err
	}
	return s.revive(ctx, h) // kubeadm restarted the kubelet last
}

// run runs kubeadm init. Where a ticket was given before, its token comes with
// the cluster: in a file of its own, which goes when kubeadm has read it.
func (s initStep) run(ctx context.Context, h *host.Host) (err error) {
	file, token := initConfigFile, ""
	given, err := givenConfig(s.o, time.Now())
	if err != nil {
		return err
	}
	if given != nil {
		file, token = givenConfigFile, s.o.Given.Token
		defer func() { err = errors.Join(err, h.State().Remove(givenConfigFile)) }()
		if err := h.State().Write(givenConfigFile, given); err != nil {
			return err
		}
	}
	s.o.note("init", "kubeadm init, which takes about a minute")
	// Without this flag it prints the token.
	argv := host.Command("kubeadm", "init", "--config", file, "--skip-token-print")
	err = s.o.during(ctx, "init", "kubeadm init", func() error { return h.Change(ctx, argv, nil) })
	return s.o.explain(h, "init", err, token)
}

// complete notes that the cluster is made.
func (s initStep) complete(h *host.Host, m *record) error {
	if err := h.State().Remove(givenConfigFile); err != nil {
		return err
	}
	hash, err := caHashOf(h)
	if err != nil {
		return err
	}
	m.Completed, m.CAHash = true, hash
	return m.write(h)
}

// takeBack undoes a try that did not come to its end. After a boot the cluster
// may be whole and only on its way up, which is waited for first.
func (s initStep) takeBack(ctx context.Context, h *host.Host, m *record) error {
	boot, err := bootID(h)
	if err != nil {
		return err
	}
	r, err := look(h)
	if err != nil {
		return err
	}
	if boot != m.Boot && r.has(append(staticPods(), etcdMember, AdminConf)...) {
		if err := startKubelet(ctx, h); err != nil {
			return err
		}
		limits := s.o.Limits.withDefaults()
		if err := s.o.waitHealthy(ctx, h, "init", AdminConf, limits.Boot); err == nil {
			m.Boot = boot
			return m.write(h) // and judge it again, now that it can be asked
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	s.o.note("init", "taking back what an earlier kubeadm init left")
	return s.o.tearDown(ctx, h, m)
}

// revive waits for a cluster that was made and does not answer now.
func (s initStep) revive(ctx context.Context, h *host.Host) error {
	if err := startKubelet(ctx, h); err != nil {
		return err
	}
	limits := s.o.Limits.withDefaults()
	if err := s.o.waitHealthy(ctx, h, "init", AdminConf, limits.API); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return hint.With(fmt.Errorf("the cluster is made, but its API server did not answer within %s: %w", limits.API, err),
			"systemctl status kubelet %s; journalctl -u kubelet -n 50; %s", s.o.Runtime.Service, s.o.Runtime.Containers)
	}
	return nil
}

// Undo is step.Undoer's: it takes back a cluster that this step made.
func (s initStep) Undo(ctx context.Context, h *host.Host) error { return undo(ctx, h, &s.o, verbInit) }
