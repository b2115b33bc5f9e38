package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"kubecrate/pkg/atomicfile"
)

// Clear removes path and all below it, without recording anything: it is for
// what was made here and is wanted no more. A path that is missing is no error.
func (h *Host) Clear(name string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot remove %s: %w", name, ErrReadOnly)
	}
	if path.Clean("/"+name) == "/" {
		return fmt.Errorf("cannot remove %q: it is the whole host", name)
	}
	return os.RemoveAll(h.Path(name))
}

// ClearDir is Clear for all that is in a directory; the directory stays, since a
// package may own it or a file system be mounted on it.
func (h *Host) ClearDir(name string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot empty %s: %w", name, ErrReadOnly)
	}
	names, err := h.ReadDir(name)
	if err != nil {
		return err
	}
	for _, entry := range names {
		if err := h.Clear(path.Join(name, entry)); err != nil {
			return err
		}
	}
	return nil
}

// Move gives a directory another name, without recording anything: it is for what
// has to be out of a program's way, and comes back. The name is on the disk when
// it returns.
func (h *Host) Move(from, to string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot move %s: %w", from, ErrReadOnly)
	}
	return atomicfile.Rename(h.Path(from), h.Path(to))
}

// RemoveEmpty removes a directory that nothing is in and nothing is mounted on;
// any other, and one that is missing, is no error.
func (h *Host) RemoveEmpty(name string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot remove %s: %w", name, ErrReadOnly)
	}
	err := os.Remove(h.Path(name))
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}
