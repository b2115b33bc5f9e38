package install

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/hostlock"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/step"
	"kubecrate/pkg/table"
)

// Condition is the condition of a host's installation.
type Condition string

// The conditions of a host.
const (
	NotInstalled Condition = "not installed"
	AtWork       Condition = "an install is at work"
	Unfinished   Condition = "unfinished" // a run did not complete
	Drifted      Condition = "changed"    // installed, but something has changed since
	Installed    Condition = "installed"  // everything is ok
)

// Status is the result of CheckStatus.
type Status struct {
	Condition Condition     `json:"condition"`
	Bundle    string        `json:"bundle,omitempty"`
	Role      manifest.Role `json:"role,omitempty"`
	Node      string        `json:"node,omitempty"`
	Steps     []step.Event  `json:"steps,omitempty"`
}

// CheckStatus checks every step again, including that the node is Ready. It changes
// nothing. The error is why the host is not Installed.
func CheckStatus(ctx context.Context, h *host.Host, q StatusRequest) (st *Status, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	busy, err := hostlock.Held(h)
	if err != nil {
		return nil, err
	}
	if saved == nil {
		st = &Status{Condition: NotInstalled}
		if busy {
			st.Condition = AtWork
		}
		err := st.err()
		return st, err
	}
	st = &Status{Bundle: saved.Bundle, Role: saved.Role}
	r, err := reopen(ctx, h, q.Media, q.Caller, saved, q.Ticket, terms{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	st.Node = r.target.Node
	a := r.assembly()
	a.warnOnly = true
	steps, err := a.steps()
	if err != nil {
		return nil, err
	}
	if st.Steps, err = step.Plan(ctx, h, steps); err != nil {
		return nil, err
	}
	st.Condition = condition(st, saved, busy)
	err = st.err()
	return st, err
}

func condition(st *Status, saved *target.State, busy bool) Condition {
	done := true
	for _, e := range st.Steps {
		done = done && e.Status.State == step.Done
	}
	switch {
	case busy:
		return AtWork
	case !saved.Finished:
		return Unfinished
	case !done:
		return Drifted
	}
	return Installed
}

func (st *Status) err() error {
	again := fmt.Sprintf("./install --role %s", st.Role)
	switch st.Condition {
	case Unfinished:
		return hint.With(errors.New("the installation of this host is unfinished"), "%s continues it; %s undoes it", again, target.ResetCommand(st.Role))
	case Drifted:
		return hint.With(errors.New("this host has changed since the installation"), "%s fixes it", again)
	case NotInstalled:
		return hint.With(errNotInstalled, installHint)
	case AtWork:
		return hint.With(hostlock.ErrBusy, "wait until it has finished, then ./install status")
	case Installed:
	}
	return nil
}

// WriteText prints the status as text.
func (st *Status) WriteText(w io.Writer) error {
	out := table.New(w)
	if st.Bundle == "" {
		out.Line("%s", st.Condition)
		return out.Flush()
	}
	out.Line("%s: %s, role %s, node %s", st.Condition, st.Bundle, st.Role, st.Node)
	for i, e := range st.Steps {
		out.Line("%2d\t%s\t%s", i+1, e.Step, e.Status.State)
		if e.Status.State != step.Done || len(e.Status.Warnings) > 0 {
			writeStatus(out, e.Status, false)
		}
	}
	return out.Flush()
}
