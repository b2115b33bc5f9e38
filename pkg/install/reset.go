package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/hostreport"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/stepreport"
	"kubecrate/pkg/table"
)

// Undone is the result of Reset. Kept lists what it left on the host, and why.
type Undone struct {
	Bundle string        `json:"bundle,omitempty"`
	Role   manifest.Role `json:"role,omitempty"`
	Steps  []string      `json:"steps"`
	Kept   []string      `json:"kept,omitempty"`
	Empty  bool          `json:"empty"` // there was nothing to undo
}

// Reset undoes everything that Run, Load and Ticket did on h according to the journal,
// in reverse order. If a step cannot be undone, everything that it may need stays, see
// step.Reset; running it again resumes there.
func Reset(ctx context.Context, h *host.Host, q ResetRequest) (u *Undone, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	release, err := hostlock.Take(h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	u = &Undone{}
	if saved != nil {
		u.Bundle, u.Role = saved.Bundle, saved.Role
		if h.Software, err = q.Caller.families().For(saved.Family); err != nil {
			return nil, err
		}
	} else if u.Empty, err = untouched(h); err != nil || u.Empty {
		return u, err
	} else if err := onlyLoaded(h); err != nil {
		return nil, err
	}
	if err := u.undo(ctx, h, u.hear(q.Caller.Report), q.Caller.Tables, saved, q.KeepPackages); err != nil {
		return nil, err
	}
	if err := removeState(h); err != nil || saved == nil {
		return u, err
	}
	hostreport.Withdraw(ctx, h, q.Media.stick(), q.Caller.Report)
	return u, nil
}

// undo undoes the steps in the journal.
func (u *Undone) undo(ctx context.Context, h *host.Host, report progress.Func, tables Tables, saved *target.State, keepPackages bool) (err error) {
	j, err := openJournal(h, saved)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	kinds := tables.kinds(report)
	if keepPackages && saved != nil {
		names, err := tables.packageSteps(saved)
		if err != nil {
			return err
		}
		for _, name := range names {
			kinds = kinds.Keep(name)
			if err := j.Forget(name); err != nil {
				return err
			}
		}
		u.Kept = append(u.Kept, "the installed packages, as requested")
	}
	t := stepreport.New(report, j.Begun(), time.Now)
	err = step.Reset(ctx, h, j, kinds, func(e step.Event) {
		t.Event(e)
		if e.Phase == step.Undone {
			u.Steps = append(u.Steps, e.Step)
		}
	})
	if err == nil && saved == nil {
		err = cri.Undoable(h)
	}
	if err != nil {
		return fmt.Errorf("cannot undo everything: %w", err)
	}
	return nil
}

// hear collects the warnings: a step warns about what it leaves. Only one task at a time
// reports.
func (u *Undone) hear(report progress.Func) progress.Func {
	return func(e progress.Event) {
		if e.Kind == progress.Warn {
			u.Kept = append(u.Kept, e.Text)
		}
		report.Report(e)
	}
}

// WriteText prints the result as text.
func (u *Undone) WriteText(w io.Writer) error {
	out := table.New(w)
	switch {
	case u.Empty:
		out.Line("nothing was installed on this host: nothing to undo")
	case len(u.Kept) == 0:
		out.Line("restored this host to its state before %s", u.before())
	default:
		out.Line("restored this host to its state before %s, except:", u.before())
		for _, k := range u.Kept {
			out.Line("  %s", k)
		}
	}
	return out.Flush()
}

// before names what was undone.
func (u *Undone) before() string {
	if u.Bundle == "" {
		return "images were loaded"
	}
	return u.Bundle + " was installed"
}
