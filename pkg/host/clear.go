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

// Clear removes path and everything below it, without recording: it is for files that
// this program created. A missing path is not an error.
func (h *Host) Clear(name string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot remove %s: %w", name, ErrReadOnly)
	}
	if path.Clean("/"+name) == "/" {
		return fmt.Errorf("cannot remove %q: it is the root directory", name)
	}
	return os.RemoveAll(h.Path(name))
}

// ClearDir is Clear for the content of a directory; the directory stays, since a package
// may own it or a file system may be mounted on it.
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

// Move renames a directory temporarily, without recording. The new name is on disk when
// it returns.
func (h *Host) Move(from, to string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot move %s: %w", from, ErrReadOnly)
	}
	return atomicfile.Rename(h.Path(from), h.Path(to))
}

// RemoveEmpty removes an empty directory that is not a mount point; any other, or a
// missing one, is not an error.
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
