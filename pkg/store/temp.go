package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
)

// tempPrefix begins the names in partial/ that only their maker can use.
const tempPrefix = "tmp-"

// staleAfter is the age at which an abandoned partial download is
// removed by Open.
const staleAfter = 30 * 24 * time.Hour

// flushEvery is how many bytes are written before the kernel is asked to start
// writing them to the disk, so that the fsync at the end finds little to do.
const flushEvery = 8 << 20

// tempFile is a file in partial/, locked by flock as long as it is open and has
// not been moved: what is not locked has no owner.
type tempFile struct {
	*os.File
	s       *Store
	w       io.WriterAt // the file; tests put a disk that is full in its place
	size    int64       // bytes written
	flushed int64       // bytes that the kernel was asked to write back
	need    int64       // bytes it will have in all, 0 unknown: for messages
	closed  bool
}

func (s *Store) createTemp() (*tempFile, error) {
	//atomicfile:except it gets its name by its hash, in another directory
	f, err := os.CreateTemp(s.partialDir(), tempPrefix+"*")
	if err != nil {
		return nil, Explain(fmt.Errorf("cannot write to the cache: %w", err), s.dir, 0)
	}
	t := &tempFile{File: f, s: s, w: f}
	if _, err := lock(f); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

// Write appends b and counts what reached the file, even where not all of it
// did.
func (t *tempFile) Write(b []byte) (int, error) {
	n, err := t.w.WriteAt(b, t.size)
	t.size += int64(n)
	if err != nil {
		return n, Explain(fmt.Errorf("cannot write to the cache: %w", err), t.s.dir, max(t.need-t.size, int64(len(b)-n)))
	}
	if t.size-t.flushed >= flushEvery {
		startWriteback(t.File, t.flushed, t.size-t.flushed)
		t.flushed = t.size
	}
	return n, nil
}

// moveTo flushes the content, renames the file to path and flushes the
// directories. The file stays open and is no longer locked.
func (t *tempFile) moveTo(path string) error {
	if err := t.Sync(); err != nil {
		return Explain(err, t.s.dir, t.size)
	}
	if err := atomicfile.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return Explain(err, t.s.dir, t.size)
	}
	if err := atomicfile.Rename(t.Name(), path); err != nil {
		return Explain(err, t.s.dir, t.size)
	}
	return unlock(t.File)
}

// remove closes the file and deletes it.
func (t *tempFile) remove() error {
	err := os.Remove(t.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, t.Close())
}

// Close closes the file and releases its lock; a second call does nothing.
func (t *tempFile) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	return t.File.Close()
}

// lock takes the file for this process, and for this open of it; false says
// that somebody else has it.
func lock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return false, hint.With(fmt.Errorf("cannot lock %s: %w", f.Name(), err), "use --cache DIR on a disk that supports locks (flock)")
		}
	}
}

func unlock(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
		return fmt.Errorf("cannot unlock %s: %w", f.Name(), err)
	}
	return nil
}

// sweep removes what killed processes left in partial/ that cannot be resumed.
func (s *Store) sweep() error {
	list, err := os.ReadDir(s.partialDir())
	if err != nil {
		return err
	}
	for _, e := range list {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !strings.HasPrefix(e.Name(), tempPrefix) && time.Since(info.ModTime()) < staleAfter {
			continue
		}
		// One that was made this moment is not locked yet.
		if time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if err := removeUnlocked(filepath.Join(s.partialDir(), e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func removeUnlocked(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	free, err := lock(f)
	if err != nil || !free {
		return err
	}
	same, err := isAt(f, path)
	if err != nil || !same {
		return err
	}
	return os.Remove(path)
}

// isAt says whether path is still the name of f.
func isAt(f *os.File, path string) (bool, error) {
	have, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(have, there), nil
}
