package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/vip"
)

// Undone is what Reset did. Kept names what it left on the host, and why.
type Undone struct {
	Bundle string        `json:"bundle,omitempty"`
	Role   manifest.Role `json:"role,omitempty"`
	Steps  []string      `json:"steps"`
	Kept   []string      `json:"kept,omitempty"`
	Empty  bool          `json:"empty"` // there was nothing to undo
}

// Reset undoes everything that Run did on h, in reverse, as far as it was done.
// It goes on where something fails and reports all of it; running it again tries
// the rest. keepPackages leaves the packages where they are.
func Reset(ctx context.Context, h *host.Host, o Settings, keepPackages bool) (u *Undone, err error) {
	defer func() { err = full(h, err) }()
	release, err := lock(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	if saved == nil {
		return resetLoaded(ctx, h, o)
	}
	j, err := step.OpenJournal(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	u = &Undone{Bundle: saved.Bundle, Role: saved.Role}
	o.Report = u.hear(o.Report)
	steps, err := undoSteps(saved, &o)
	if err != nil {
		return nil, err
	}
	if keepPackages {
		steps = slices.DeleteFunc(steps, func(s step.Step) bool { return s.Name() == packagesStep })
		if err := j.Forget(packagesStep); err != nil {
			return nil, err
		}
		u.Kept = append(u.Kept, "the installed packages, as asked for")
	}
	t := newTeller(o.Report, steps, time.Now)
	err = step.Reset(ctx, h, j, steps, func(e step.Event) {
		t.event(e)
		if e.Phase == step.Undone {
			u.Steps = append(u.Steps, e.Step)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("not all could be taken back: %w", err)
	}
	if err := forget(h); err != nil {
		return u, err
	}
	hostreport.Withdraw(ctx, h, o.stick(), o.Report)
	return u, nil
}

// resetLoaded undoes what Load did on a host on which Run never ran.
func resetLoaded(ctx context.Context, h *host.Host, o Settings) (u *Undone, err error) {
	if empty, err := untouched(h); err != nil || empty {
		return &Undone{Empty: true}, err
	}
	if err := onlyLoaded(h); err != nil {
		return nil, err
	}
	j, err := step.OpenJournal(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	u = &Undone{}
	o.Report = u.hear(o.Report)
	steps := []step.Step{cri.Undo(o.Report)}
	t := newTeller(o.Report, steps, time.Now)
	err = step.Reset(ctx, h, j, steps, func(e step.Event) {
		t.event(e)
		if e.Phase == step.Undone {
			u.Steps = append(u.Steps, e.Step)
		}
	})
	if err == nil {
		err = cri.Undoable(h)
	}
	if err != nil {
		return nil, fmt.Errorf("not all could be taken back: %w", err)
	}
	return u, forget(h)
}

// hear keeps every warning of an undoing: a step warns of what it leaves, in its
// status or while it is at it. One task at a time reports.
func (u *Undone) hear(report progress.Func) progress.Func {
	return func(e progress.Event) {
		if e.Kind == progress.Warn {
			u.Kept = append(u.Kept, e.Text)
		}
		report.Report(e)
	}
}

// packagesStep is the name of distro's step.
const packagesStep = "packages"

// undoSteps are the steps of an installation as far as undoing needs them:
// without an archive, and those of every role.
func undoSteps(saved *State, o *Settings) ([]step.Step, error) {
	family, err := distro.For(saved.Family)
	if err != nil {
		return nil, err
	}
	runtime, err := cri.For(saved.Runtime)
	if err != nil {
		return nil, err
	}
	k := kubeadm.Options{Node: saved.Hostname, Socket: runtime.Socket(), Cluster: saved.Cluster, Progress: o.Report}
	t := kubeadm.TicketOptions{Options: k, Stick: saved.Ticket}
	list := prep.Steps(prep.Options{IPVS: true})
	list = append(list, prep.ServiceRoute(netip.Prefix{}, ""), distro.Packages(family, distro.Bundle{}, o.Report), prep.Time(prep.Clock{}))
	list = append(list, runtime.Steps(cri.Options{})...)
	return append(list,
		kubeadm.Kubelet(), cri.Images(runtime, nil, nil, o.Report), vip.Keepalived(vip.Options{}), kubeadm.Authority(kubeadm.AuthorityOptions{}),
		kubeadm.Init(k), kubeadm.Join(kubeadm.JoinOptions{Options: k}), kubeadm.UndoKubeconfig(o.Report), cni.DNS(), kubeadm.Ticket(t),
	), nil
}

// WriteText prints what was undone for people.
func (u *Undone) WriteText(w io.Writer) error {
	out := lines.New(w)
	switch {
	case u.Empty:
		out.Line("nothing was installed on this host: nothing to take back")
	case len(u.Kept) == 0:
		out.Line("this host is as it was before %s", u.before())
	default:
		out.Line("this host is as it was before %s, but for this:", u.before())
		for _, k := range u.Kept {
			out.Line("  %s", k)
		}
	}
	return out.Flush()
}

// before is what was undone.
func (u *Undone) before() string {
	if u.Bundle == "" {
		return "images were loaded"
	}
	return u.Bundle + " was installed"
}
