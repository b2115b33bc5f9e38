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
// init. An unfinished attempt is undone and repeated; a cluster that is only down
// is waited for; one that install did not create is never touched.
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
		st.Todo("run kubeadm init to make this host the first master of cluster %s, Kubernetes %s, at %s", s.o.Cluster.Name, s.o.Version, s.o.Endpoint())
		if slices.Contains(f.leftovers.authority, caFile) {
			st.What = append(st.What, "use the existing CA in "+pkiDir)
		}
		if s.o.Given != nil && s.o.Given.Expired(time.Now()) {
			st.Warn("the ticket made before the cluster expired at %s; a new one is written to the stick for the other hosts", s.o.Given.Expires)
		}
		if config, err := InitConfig(s.o); err == nil {
			before, err := h.Text(initConfigFile)
			if err != nil {
				return st, err
			}
			st.File(initConfigFile, before, string(config))
		}
	case half:
		st.Todo("undo an unfinished kubeadm init (%s) with kubeadm reset -f, then run kubeadm init again", f.why)
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

// begin runs kubeadm init. The record is written first.
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

// run runs kubeadm init. The token of a ticket that was made before is passed in a
// separate file, which is removed once kubeadm has read it.
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
	s.o.note("init", "running kubeadm init, which takes about a minute")
	// Without this flag it prints the token.
	argv := host.Command("kubeadm", "init", "--config", file, "--skip-token-print")
	err = s.o.during(ctx, "init", "kubeadm init", func() error { return h.Change(ctx, argv, nil) })
	return s.o.explain(h, "init", err, token)
}

// complete records that the cluster exists.
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

// takeBack undoes an unfinished attempt. After a reboot the cluster may be complete
// and still starting, so it waits for that first.
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
			return m.write(h) // judged again now that it answers
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	s.o.note("init", "undoing an unfinished kubeadm init")
	return s.o.tearDown(ctx, h, m)
}

// revive waits for an existing cluster that does not answer.
func (s initStep) revive(ctx context.Context, h *host.Host) error {
	if err := startKubelet(ctx, h); err != nil {
		return err
	}
	limits := s.o.Limits.withDefaults()
	if err := s.o.waitHealthy(ctx, h, "init", AdminConf, limits.API); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return hint.With(fmt.Errorf("the cluster exists, but its API server did not answer within %s: %w", limits.API, err),
			"systemctl status kubelet %s; journalctl -u kubelet -n 50; %s", s.o.Runtime.Service, s.o.Runtime.Containers)
	}
	return nil
}

// Undo is step.Undoer's: it undoes a cluster that this step created.
func (s initStep) Undo(ctx context.Context, h *host.Host) error { return undo(ctx, h, &s.o, verbInit) }
