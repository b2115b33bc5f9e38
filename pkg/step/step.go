// Package step brings a host from what it is to what it should be: steps that
// check, apply and undo, a runner, and the journal that holds what was there
// before.
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

// Step is one thing that has to be true of a host. Check looks and changes
// nothing; Apply makes it true, through the host, which records what was there
// before. Both may be called any number of times.
type Step interface {
	Name() string
	Check(ctx context.Context, h *host.Host) (Status, error)
	Apply(ctx context.Context, h *host.Host) error
}

// Undoer is a step whose changes the journal alone cannot take back. Undo runs
// before the journal's records of the step are undone, and does nothing where
// there is nothing to undo. The step is the one that its Kind opens.
type Undoer interface {
	Undo(ctx context.Context, h *host.Host) error
}

// Cleaner is a step that leaves traces which can go only when its changes are
// taken back, such as what a service made that had to be stopped first. Clean
// runs after the records of the step are undone, and does nothing where there is
// nothing to clean.
type Cleaner interface {
	Clean(ctx context.Context, h *host.Host) error
}

// State is what Check found.
type State string

// The states. Later is that of a step which can only be checked when the steps
// before it are done, Unknown that of one whose check fails for another reason;
// only Plan gives these two.
const (
	Done       State = "done"
	ToDo       State = "to do"
	Impossible State = "impossible"
	Later      State = "later"
	Unknown    State = "unknown"
)

// Status is what Check found. What holds a sentence for everything that would
// change, or why nothing can; Diffs are the files that would change; Warnings
// are for the operator, whatever the state; Hint is the command that makes an
// impossible step possible.
type Status struct {
	State    State    `json:"state"`
	What     []string `json:"what,omitempty"`
	Diffs    []Diff   `json:"diffs,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}

// Diff is a file before and after, "" for one that is not there.
type Diff struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Todo adds something that would change.
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

// Cannot is the status of a step that is impossible, and what fixes that.
func Cannot(fix, format string, args ...any) Status {
	return Status{State: Impossible, What: []string{fmt.Sprintf(format, args...)}, Hint: fix}
}

// Event tells how a step goes. Status is that of the check before, or after
// Apply; Err is why it failed.
type Event struct {
	Step   string `json:"step"`
	Phase  Phase  `json:"phase"`
	Status Status `json:"status"`
	Err    error  `json:"-"`
}

// Phase of a step.
type Phase string

// The phases, in order; a step that is done already has Checked only.
const (
	Checked  Phase = "checked"
	Applying Phase = "applying"
	Applied  Phase = "applied"
	Undoing  Phase = "undoing"
	Undone   Phase = "undone"
	Failed   Phase = "failed"
)

// cause is the error that others only wrap; that of a program is taken as it is.
func cause(err error) error {
	for {
		if l, ok := err.(visible.Liner); ok { //nolint:errorlint // one level at a time is looked at
			return l
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Plan checks every step and changes nothing. A step whose check fails is Later
// where an earlier one is still to be done, else Unknown; the only error is that
// of ctx.
func Plan(ctx context.Context, h *host.Host, steps []Step) ([]Event, error) {
	var events []Event
	pending := false
	for _, s := range steps {
		status, err := check(ctx, h, s)
		switch {
		case ctx.Err() != nil:
			return events, context.Cause(ctx)
		case err != nil && pending:
			status = Status{State: Later, What: []string{fmt.Sprintf("known once the steps before are done: %v", cause(err))}}
		case err != nil:
			status = Status{State: Unknown, What: visible.Error(err), Hint: hint.Of(err)}
		}
		pending = pending || status.State != Done
		events = append(events, Event{Step: s.Name(), Phase: Checked, Status: status})
	}
	return events, nil
}

// check is a step's own check, and whether the files that it would change can be
// changed: that is known before anything is.
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

// unreadable is what is wrong with the file that err is about, with its hint,
// where that can be told, and otherwise err.
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

// Run checks the steps in order and applies those that are not done, each
// checked again afterwards. It stops at the first that fails or is impossible;
// running it again goes on there, because a check looks at the host and not at
// what was noted. That a step is begun, and everything that it changes, is in j
// before. Where a step is of none of kinds, nothing is done.
func Run(ctx context.Context, h *host.Host, j *Journal, kinds Kinds, steps []Step, report func(Event)) error {
	for _, s := range steps {
		if _, ok := kinds.find(s.Name()); !ok {
			return fmt.Errorf("cannot do step %s: it is in no table of kinds, and so it could not be undone", s.Name())
		}
	}
	for _, s := range steps {
		if err := run(ctx, h, j, kinds, s, report); err != nil {
			report(Event{Step: s.Name(), Phase: Failed, Err: err})
			return err
		}
	}
	return nil
}

func run(ctx context.Context, h *host.Host, j *Journal, kinds Kinds, s Step, report func(Event)) error {
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
	if err := begin(j, kinds, s); err != nil {
		return err
	}
	if err := s.Apply(ctx, h.With(j.of(s.Name()))); err != nil {
		return fmt.Errorf("cannot do step %s: %w", s.Name(), err)
	}
	if status, err = check(ctx, h, s); err != nil {
		return err
	}
	switch status.State {
	case Impossible:
		return impossible(s, status)
	case ToDo, Later, Unknown:
		return fmt.Errorf("step %s had no effect: %s is still to be done", s.Name(), first(status))
	case Done:
	}
	report(Event{Step: s.Name(), Phase: Applied, Status: status})
	return nil
}

// first is the first thing that a status says.
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
	err := fmt.Errorf("cannot do step %s: %s", s.Name(), first(status))
	if status.Hint == "" {
		return err
	}
	return hint.With(err, "%s", status.Hint)
}
