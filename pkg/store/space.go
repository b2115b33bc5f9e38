package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/hint"
)

// SpaceError is a disk that is full. It unwraps to what the system said.
type SpaceError struct {
	Dir  string // on that disk
	Need int64  // bytes still to be written, as far as known
	Free int64  // bytes that this user may still write, -1 unknown
	Err  error
}

func (e *SpaceError) Error() string {
	free := "free space unknown"
	if e.Free >= 0 {
		free = fmt.Sprintf("%d bytes free", e.Free)
	}
	return fmt.Sprintf("%v in %s: %d bytes needed, %s", e.Err, e.Dir, e.Need, free)
}

// Unwrap gives the error of the system call.
func (e *SpaceError) Unwrap() error { return e.Err }

// Explain adds to an error of writing below dir what a user needs to fix it:
// to a full disk a *SpaceError with the bytes needed and free, to a directory
// that is read-only or another user's a hint. Other errors, and those that are
// explained already, stay as they are.
func Explain(err error, dir string, need int64) error {
	var space *SpaceError
	switch {
	case err == nil || errors.As(err, &space):
		return err
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hint.With(&SpaceError{Dir: dir, Need: need, Free: freeBytes(dir), Err: err},
			"check the disk with df -h %s, or use another one with --cache DIR", dir)
	case errors.Is(err, unix.EROFS):
		return hint.With(err, "%s is on a disk that is mounted read-only; use another one with --cache DIR", dir)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return hint.With(err, "check its owner with ls -ld %s, or use another directory with --cache DIR", dir)
	}
	return err
}

// RequireSpace returns a *SpaceError where the disk of the cache has fewer than
// need bytes free, before they are fetched in vain.
func (s *Store) RequireSpace(need int64) error {
	if free := freeBytes(s.dir); free >= 0 && free < need {
		return Explain(unix.ENOSPC, s.dir, need)
	}
	return nil
}

// freeBytes is what a user without privileges may still write to the disk of
// dir, or of the nearest directory above that is there; -1 unknown. It is
// the machine that builds, on which there is no host.Host.
func freeBytes(dir string) int64 {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize) //nolint:gosec,unconvert // 2^63 bytes are more than any disk; the types differ between systems
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, unix.ENOENT) || up == dir {
			return -1
		}
		dir = up
	}
}

// writable says why this user cannot make files in dir.
func writable(dir string) error {
	return unix.Access(dir, unix.W_OK|unix.X_OK)
}
