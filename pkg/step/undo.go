package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kubecrate/pkg/host"
)

// Reset undoes everything in j that is not undone yet, in reverse order of the steps
// that were started: for each its Undo, then its files and commands, then its Clean. A
// step that was started with several sets of parameters is undone for each, newest
// first. A file that was changed since is saved before its original is restored, and
// the event says where.
//
// A step may depend on earlier steps: images are removed through their runtime, which
// comes from a package. If a step cannot be undone, those started before it are kept,
// and running Reset again resumes there. A failure of an independent step does not
// stop Reset. All failures are returned.
//
// If a started step is not in kinds, nothing is undone.
func Reset(ctx context.Context, h *host.Host, j *Journal, kinds Kinds, report func(Event)) error {
	list, err := j.undoings(kinds)
	if err != nil {
		return err
	}
	var errs []error
	known := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- {
		u := list[i]
		known[u.name] = true
		err := u.reset(ctx, h, j, report)
		errs = append(errs, err)
		if err != nil && !u.independent {
			return errors.Join(append(errs, heldBack(ctx, j, u, list[:i]))...)
		}
	}
	// The changes of steps since renamed, by a version that wrote no begin records.
	_, err = j.undo(ctx, h, j.open(func(step string) bool { return !known[step] }))
	return errors.Join(append(errs, err)...)
}

// heldBack names the steps that are kept because failed may depend on them, if any.
func heldBack(ctx context.Context, j *Journal, failed undoing, before []undoing) error {
	var names []string
	for i := len(before) - 1; i >= 0; i-- {
		if before[i].pending(j) {
			names = append(names, before[i].name)
		}
	}
	if len(names) == 0 || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("not undone until step %s is: %s", failed.name, strings.Join(names, ", "))
}

// pending reports whether there may be something to undo.
func (u undoing) pending(j *Journal) bool {
	undoers, cleaners := abilities(u.steps)
	return len(undoers) > 0 || len(cleaners) > 0 || len(j.open(u.owns)) > 0
}

func (u undoing) owns(step string) bool { return step == u.name }

// reset undoes one step. Its Undo may need the records' changes, so they are kept if
// it fails.
func (u undoing) reset(ctx context.Context, h *host.Host, j *Journal, report func(Event)) error {
	if !u.pending(j) {
		return nil
	}
	report(Event{Step: u.name, Phase: Undoing})
	status, err := u.undo(ctx, h, j)
	if err != nil {
		err = fmt.Errorf("cannot undo step %s: %w", u.name, err)
		report(Event{Step: u.name, Phase: Failed, Err: err})
		return err
	}
	report(Event{Step: u.name, Phase: Undone, Status: status})
	return nil
}

func (u undoing) undo(ctx context.Context, h *host.Host, j *Journal) (Status, error) {
	undoers, cleaners := abilities(u.steps)
	var failed []error
	for _, s := range undoers {
		failed = append(failed, s.Undo(ctx, h.With(host.Unrecorded{})))
	}
	if err := errors.Join(failed...); err != nil {
		return Status{}, err
	}
	status, err := j.undo(ctx, h, j.open(u.owns))
	if err != nil {
		return status, err
	}
	for _, s := range cleaners {
		failed = append(failed, s.Clean(ctx, h.With(host.Unrecorded{})))
	}
	return status, errors.Join(failed...)
}

// abilities returns the steps with an Undo, and those with a Clean.
func abilities(steps []Step) (undoers []Undoer, cleaners []Cleaner) {
	for _, s := range steps {
		if u, ok := s.(Undoer); ok {
			undoers = append(undoers, u)
		}
		if c, ok := s.(Cleaner); ok {
			cleaners = append(cleaners, c)
		}
	}
	return undoers, cleaners
}

// open lists the changes of wanted steps that are not undone yet, newest first.
func (j *Journal) open(wanted func(step string) bool) []int {
	undone := j.undone()
	var list []int
	for i := len(j.records) - 1; i >= 0; i-- {
		if r := j.records[i]; r.changes() && !undone[i] && wanted(r.Step) {
			list = append(list, i)
		}
	}
	return list
}

// undo undoes records, newest first.
func (j *Journal) undo(ctx context.Context, h *host.Host, list []int) (Status, error) {
	status := Status{State: Done}
	var errs []error
	for _, i := range list {
		if ctx.Err() != nil {
			return status, errors.Join(append(errs, context.Cause(ctx))...)
		}
		r := j.records[i]
		var err error
		if r.File != nil {
			var kept string
			if kept, err = j.restore(h, r.File); kept != "" {
				status.Warn("%s was changed after installation; that version is saved in %s", r.File.Path, kept)
			}
		} else {
			if _, err = h.Run(ctx, host.Cmd{Argv: r.Undo}); err != nil && host.UnitIsGone(ctx, h, r.Undo) {
				err = nil
			}
		}
		if err == nil {
			err = j.append(record{Undoes: i + 1})
		}
		errs = append(errs, err)
	}
	return status, errors.Join(errs...)
}

// restore restores a file. It first saves the present version, and returns its path,
// unless that is what install wrote or the original itself.
func (j *Journal) restore(h *host.Host, f *fileRecord) (kept string, err error) {
	o := host.FileState{Absent: f.Absent, Mode: f.Mode, UID: f.UID, GID: f.GID, Context: f.Context, Link: f.Link}
	if f.SHA256 != "" {
		if o.Content, err = os.ReadFile(filepath.Join(j.dir, originalsDir, f.SHA256)); err != nil {
			return "", fmt.Errorf("cannot read the original of %s: %w", f.Path, err)
		}
		if sum(o.Content) != f.SHA256 {
			return "", fmt.Errorf("the original of %s is damaged: %s/%s/%s", f.Path, Dir, originalsDir, f.SHA256)
		}
	}
	now, err := h.FileState(f.Path)
	if err != nil {
		return "", err
	}
	if mine := sum(now.Content); !now.Absent && now.Link == "" && mine != f.After && mine != f.SHA256 {
		kept = filepath.Join(ChangedDir, filepath.Base(f.Path)+"-"+mine[:12])
		copied := host.FileState{Content: now.Content, Mode: privateFile, UID: os.Geteuid(), GID: os.Getegid()}
		if err := h.Put(kept, copied); err != nil {
			return "", fmt.Errorf("cannot save the present version of %s: %w", f.Path, err)
		}
	}
	if err := h.Put(f.Path, o); err != nil {
		return kept, fmt.Errorf("cannot restore %s: %w", f.Path, err)
	}
	return kept, nil
}
