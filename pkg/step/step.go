// Package step changes a host in steps: each checks, applies and undoes one thing; a
// runner applies them, and a journal records the state before every change.
package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/visible"
)

// Step is one property that a host must have. Check changes nothing; Apply makes the
// changes through the host, which records the state before each. Both may be called
// any number of times.
type Step interface {
	Name() string
	Check(ctx context.Context, h *host.Host) (Status, error)
	Apply(ctx context.Context, h *host.Host) error
}

// Undoer is a step whose changes the journal alone cannot undo. Undo runs before the
// journal's records of the step are undone, and does nothing if there is nothing to
// undo. The step is the one that its Kind opens.
type Undoer interface {
	Undo(ctx context.Context, h *host.Host) error
}

// Cleaner is a step that leaves things which can be removed only after its changes
// are undone, such as the data of a service that must be stopped first. Clean runs
// after the records of the step are undone, and does nothing if there is nothing to
// clean.
type Cleaner interface {
	Clean(ctx context.Context, h *host.Host) error
}

// State is the result of Check.
type State string

// The states. Later means that the step can be checked only after the steps before
// it, Unknown that its check failed for another reason; only Plan returns these two.
const (
	Done       State = "done"
	ToDo       State = "to do"
	Impossible State = "impossible"
	Later      State = "later"
	Unknown    State = "unknown"
)

// Status is the result of Check. What lists what would change, each an imperative
// clause such as "stop firewalld.service", or why the step is impossible; Diffs are
// the files that would change; Warnings are for the operator, in any state; Hint is
// the command that makes an impossible step possible.
type Status struct {
	State    State    `json:"state"`
	What     []string `json:"what,omitempty"`
	Diffs    []Diff   `json:"diffs,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}

// Diff is a file before and after, "" if it does not exist.
type Diff struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Todo adds a change, as an imperative clause.
func (s *Status) Todo(format string, args ...any) {
	s.State = ToDo
	s.What = append(s.What, fmt.Sprintf(format, args...))
}

// File adds a file that would change, unless before and after are the same.
func (s *Status) File(path, before, after string) {
	if before == after {
		return
	}
	s.State = ToDo
	s.Diffs = append(s.Diffs, Diff{Path: path, Before: before, After: after})
}

// Warn adds a warning.
func (s *Status) Warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// Cannot returns the status of an impossible step, with its hint.
func Cannot(fix, format string, args ...any) Status {
	return Status{State: Impossible, What: []string{fmt.Sprintf(format, args...)}, Hint: fix}
}

// Event reports the progress of a step. Status is that of the check before or after
// Apply; Err is why it failed.
type Event struct {
	Step   string `json:"step"`
	Phase  Phase  `json:"phase"`
	Status Status `json:"status"`
	Err    error  `json:"-"`
}

// Phase of a step.
type Phase string

// The phases, in order; a step that is already done only has Checked.
const (
	Checked  Phase = "checked"
	Applying Phase = "applying"
	Applied  Phase = "applied"
	Undoing  Phase = "undoing"
	Undone   Phase = "undone"
	Failed   Phase = "failed"
)

// cause returns the innermost error; that of a program is not unwrapped.
func cause(err error) error {
	for {
		if l, ok := err.(visible.Liner); ok { //nolint:errorlint // unwraps one level at a time
			return l
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Plan checks every step and changes nothing. A step whose check fails is Later if an
// earlier one is not done, else Unknown; the only error is that of ctx.
func Plan(ctx context.Context, h *host.Host, steps []Step) ([]Event, error) {
	var events []Event
	pending := false
	for _, s := range steps {
		status, err := check(ctx, h, s)
		switch {
		case ctx.Err() != nil:
			return events, context.Cause(ctx)
		case err != nil && pending:
			status = Status{State: Later, What: []string{fmt.Sprintf("can be checked only after the steps before it: %v", cause(err))}}
		case err != nil:
			status = Status{State: Unknown, What: visible.Error(err), Hint: hint.Of(err)}
		}
		pending = pending || status.State != Done
		events = append(events, Event{Step: s.Name(), Phase: Checked, Status: status})
	}
	return events, nil
}

// check runs a step's check, and then checks that the files that it would change can
// be changed, before anything is.
func check(ctx context.Context, h *host.Host, s Step) (Status, error) {
	h = h.With(nil)
	status, err := s.Check(ctx, h)
	if err != nil {
		return status, fmt.Errorf("cannot check step %s: %w", s.Name(), unreadable(h, err))
	}
	if status.State == "" {
		status.State = Done
	}
	if status.State != ToDo {
		return status, nil
	}
	for _, d := range status.Diffs {
		if err := h.Obstacle(d.Path, false); err != nil {
			return Status{State: Impossible, What: []string{err.Error()}, Warnings: status.Warnings, Hint: hint.Of(err)}, nil
		}
	}
	return status, nil
}

// unreadable returns the problem with the file that err is about, with its hint, if
// it can be determined, and otherwise err.
func unreadable(h *host.Host, err error) error {
	var p *fs.PathError
	if hint.Of(err) != "" || !errors.As(err, &p) {
		return err
	}
	rel, relErr := filepath.Rel(h.Root, p.Path)
	if relErr != nil {
		return err
	}
	if why := h.Obstacle("/"+rel, false); why != nil {
		return why
	}
	return err
}

// Run checks the steps in order, applies those that are not done, and checks each
// again. It stops at the first that fails or is impossible; running it again resumes
// there, because a check examines the host and not the journal. The start of a step
// and its changes are journaled to disk before they are made. If the kind of a step
// is not in kinds, nothing is done.
func Run(ctx context.Context, h *host.Host, j *Journal, kinds Kinds, steps []Step, report func(Event)) error {
	var names []string
	for _, s := range steps {
		names = append(names, s.Name())
		if _, ok := kinds.find(s.Name()); !ok {
			return fmt.Errorf("cannot apply step %s: its kind is not registered, so it could not be undone", s.Name())
		}
	}
	for i, s := range steps {
		start := func() error { return begin(j, kinds, s, names[i+1:]) }
		if err := run(ctx, h, j, s, start, report); err != nil {
			report(Event{Step: s.Name(), Phase: Failed, Err: err})
			return err
		}
	}
	return nil
}

func run(ctx context.Context, h *host.Host, j *Journal, s Step, start func() error, report func(Event)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	status, err := check(ctx, h, s)
	if err != nil {
		return err
	}
	report(Event{Step: s.Name(), Phase: Checked, Status: status})
	switch status.State {
	case Done:
		return nil
	case Impossible:
		return impossible(s, status)
	case ToDo, Later, Unknown:
	}
	report(Event{Step: s.Name(), Phase: Applying, Status: status})
	if err := start(); err != nil {
		return err
	}
	if err := s.Apply(ctx, h.With(j.of(s.Name()))); err != nil {
		return fmt.Errorf("cannot apply step %s: %w", s.Name(), err)
	}
	if status, err = check(ctx, h, s); err != nil {
		return err
	}
	switch status.State {
	case Impossible:
		return impossible(s, status)
	case ToDo, Later, Unknown:
		return fmt.Errorf("step %s had no effect; still to do: %s", s.Name(), first(status))
	case Done:
	}
	report(Event{Step: s.Name(), Phase: Applied, Status: status})
	return nil
}

// first returns the first change of a status.
func first(s Status) string {
	switch {
	case len(s.What) > 0:
		return s.What[0]
	case len(s.Diffs) > 0:
		return s.Diffs[0].Path
	}
	return "something"
}

func impossible(s Step, status Status) error {
	err := fmt.Errorf("cannot apply step %s: %s", s.Name(), first(status))
	if status.Hint == "" {
		return err
	}
	return hint.With(err, "%s", status.Hint)
}
