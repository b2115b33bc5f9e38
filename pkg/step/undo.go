package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kubecrate/pkg/host"
)

// Reset undoes everything in j that was not undone yet, in reverse: for each
// step its own Undo first, then its files and commands, then its Clean. It goes on where
// something fails, so that as much as possible is as it was, and reports all
// failures; running it again tries those again. A file that somebody changed
// since is kept beside its original, and the event says where.
func Reset(ctx context.Context, h *host.Host, j *Journal, steps []Step, report func(Event)) error {
	var errs []error
	for i := len(steps) - 1; i >= 0; i-- {
		name := steps[i].Name()
		todo := j.open(func(step string) bool { return step == name })
		u, ok := steps[i].(Undoer)
		c, cleans := steps[i].(Cleaner)
		if len(todo) == 0 && !ok && !cleans {
			continue
		}
		report(Event{Step: name, Phase: Undoing})
		var failed []error
		if ok {
			failed = append(failed, u.Undo(ctx, h.With(unrecorded{})))
		}
		status, err := j.undo(ctx, h, todo)
		if cleans && err == nil {
			err = c.Clean(ctx, h.With(unrecorded{}))
		}
		if err := errors.Join(append(failed, err)...); err != nil {
			err = fmt.Errorf("cannot undo step %s: %w", name, err)
			report(Event{Step: name, Phase: Failed, Err: err})
			errs = append(errs, err)
			continue
		}
		report(Event{Step: name, Phase: Undone, Status: status})
	}
	// What steps of another version left.
	known := map[string]bool{}
	for _, s := range steps {
		known[s.Name()] = true
	}
	if _, err := j.undo(ctx, h, j.open(func(step string) bool { return !known[step] })); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// unrecorded lets an Undo change things: nothing has to be kept of them.
type unrecorded struct{}

func (unrecorded) File(string, host.FileState, []byte) error { return nil }
func (unrecorded) Undo([]string) error                       { return nil }

// open lists the records of wanted steps that are not undone, newest first.
func (j *Journal) open(wanted func(step string) bool) []int {
	undone := j.undone()
	var list []int
	for i := len(j.records) - 1; i >= 0; i-- {
		if r := j.records[i]; r.Undoes == 0 && !undone[i] && wanted(r.Step) {
			list = append(list, i)
		}
	}
	return list
}

// undo takes records back, newest first.
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
				status.Warn("%s was changed by somebody else; that version is in %s", r.File.Path, kept)
			}
		} else {
			_, err = h.Run(ctx, host.Cmd{Argv: r.Undo})
		}
		if err == nil {
			err = j.append(record{Undoes: i + 1})
		}
		errs = append(errs, err)
	}
	return status, errors.Join(errs...)
}

// restore brings a file back to what it was. What is there now is kept, and its
// path returned, unless it is what was written or what was there before.
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
			return "", fmt.Errorf("cannot keep what somebody wrote to %s: %w", f.Path, err)
		}
	}
	if err := h.Put(f.Path, o); err != nil {
		return kept, fmt.Errorf("cannot restore %s: %w", f.Path, err)
	}
	return kept, nil
}
