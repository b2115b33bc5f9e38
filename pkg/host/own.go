package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"kubecrate/pkg/atomicfile"
)

// Store gives path, which is this program's own, what r holds. Nothing is
// recorded: what is our own goes when it is discarded, and there is no original
// to keep. r is read to its end first; where that is an error, whatever was at
// path stays. The file is on the disk when Store returns.
func (h *Host) Store(path string, r io.Reader, mode fs.FileMode) error {
	if err := h.own(path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := store(h.Path(path), r, mode); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func store(at string, r io.Reader, mode fs.FileMode) (err error) {
	if err := atomicfile.MkdirAll(filepath.Dir(at), dirMode); err != nil {
		return err
	}
	f, err := atomicfile.Create(at, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	if _, err := f.ReadFrom(r); err != nil {
		return err
	}
	return f.Commit()
}

// Discard removes path, which is this program's own, with all that is below it.
// What is missing is no error.
func (h *Host) Discard(path string) error {
	if err := h.own(path); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	return os.RemoveAll(h.Path(path))
}

// Log opens path, which is this program's own, empty, for what programs write.
func (h *Host) Log(path string) (*os.File, error) {
	if err := h.own(path); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	const mode = 0o600
	if err := os.MkdirAll(filepath.Dir(h.Path(path)), dirMode); err != nil {
		return nil, err
	}
	//atomicfile:except a log, which other programs write
	return os.OpenFile(h.Path(path), os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, mode)
}

// own is nil for a path that names this program, on a host that may be changed.
func (h *Host) own(p string) error {
	switch {
	case h.Recorder == nil:
		return ErrReadOnly
	case !strings.Contains(path.Clean("/"+p), "kubecrate"):
		return errors.New("it is not our own")
	}
	return nil
}
