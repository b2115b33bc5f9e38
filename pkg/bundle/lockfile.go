package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"kubecrate/manifest"
	"kubecrate/pkg/progress"
)

// LockError is the error for a lock on disk that is unusable: it cannot be read or,
// if Stale is set, it is for another manifest.
type LockError struct {
	Stale bool
	Err   error
}

func (e *LockError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *LockError) Unwrap() error { return e.Err }

// LockAt reads the lock of m at path. If there is none, or update is set, it
// resolves m and writes the lock to path. It returns a *LockError if the existing
// lock is unusable.
func LockAt(ctx context.Context, m *manifest.Manifest, s *Sources, path string, update bool) (*manifest.Lock, error) {
	l, err := manifest.ReadLock(path)
	switch {
	case err == nil && !update:
		if reason := l.Stale(m); reason != "" {
			return nil, &LockError{Stale: true, Err: fmt.Errorf("cannot build from %s: %s", path, reason)}
		}
		s.report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "building exactly what " + path + " pins"})
		return l, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !update:
		return nil, &LockError{Err: err}
	}
	if l, err = Lock(ctx, m, s); err != nil {
		return nil, err
	}
	if err := manifest.WriteLock(path, l); err != nil {
		return nil, err
	}
	s.report.Report(progress.Event{Kind: progress.Note, Stage: "lock", Text: "wrote " + path})
	return l, nil
}
