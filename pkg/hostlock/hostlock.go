// Package hostlock keeps two runs of the installer on one host apart.
package hostlock

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

const (
	// File lies where a boot clears it: it says nothing that is worth keeping.
	File = "/run/kubecrate.lock"
	// lockMode keeps others from opening the file: who can open it can hold it.
	lockMode = 0o600
)

// Take locks h until release; where another run holds the lock the error wraps
// ErrBusy. The kernel frees the lock when the program ends, however that ends; the
// number in the file is for the message only.
func Take(h *host.Host) (release func() error, err error) {
	const tries, pause = 5, 50 * time.Millisecond
	path := h.Path(File)
	const dirMode = 0o755
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, cannotLock(err)
	}
	for range tries {
		f, err := openLock(path)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch here := isAt(f, path); {
		case err == nil && here:
			return holding(f)
		case err != nil && !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errors.Join(cannotLock(err), f.Close())
		case err != nil && here && holder(f) != 0:
			return nil, errors.Join(busy(f), f.Close())
		}
		// The file was replaced, or status looks at it for a moment.
		if err := f.Close(); err != nil {
			return nil, cannotLock(err)
		}
		time.Sleep(pause)
	}
	return nil, hint.With(ErrBusy, "wait until it has finished")
}

// openLock opens the lock's file, and puts one that only root can open in the
// place of any other, unless another install holds that.
func openLock(path string) (*os.File, error) {
	const tries = 3
	for range tries {
		//atomicfile:except it is locked, never replaced, and what it holds may be lost
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, lockMode)
		if err == nil {
			info, err := f.Stat()
			if err != nil {
				return nil, errors.Join(cannotLock(err), f.Close())
			}
			if isPrivate(info) {
				return f, nil
			}
			if holder(f) != 0 { // an earlier version of this program, with its open file
				return nil, errors.Join(busy(f), f.Close())
			}
			if err := f.Close(); err != nil {
				return nil, cannotLock(err)
			}
		} else if errors.Is(err, fs.ErrPermission) {
			return nil, cannotLock(err)
		}
		if rerr := os.Remove(path); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			return nil, hint.With(cannotLock(errors.Join(err, rerr)), "see %s", hint.Command("ls", "-ld", path))
		}
	}
	return nil, hint.With(fmt.Errorf("cannot lock this host: %s keeps changing", path), "see %s", hint.Command("ls", "-ld", path))
}

// isPrivate says that info is of a file that only this user can open.
func isPrivate(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode().Perm() == lockMode && owner(info) == os.Geteuid()
}

// owner is the user ID of a file's owner, -1 unknown.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// isAt says that f is what lies at path.
func isAt(f *os.File, path string) bool {
	ours, err := f.Stat()
	there, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(ours, there)
}

// holding writes the number of this process into the file that it has locked.
func holding(f *os.File) (release func() error, err error) {
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(cannotLock(err), f.Close())
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return nil, errors.Join(cannotLock(err), f.Close())
	}
	return func() error { return errors.Join(f.Truncate(0), f.Close()) }, nil
}

func cannotLock(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hint.With(fmt.Errorf("only root may change this host: %w", err), "%s", hint.Root(""))
	}
	return fmt.Errorf("cannot lock this host: %w", err)
}

// ErrBusy is another run of the installer on this host.
var ErrBusy = errors.New("another install is running on this host")

func busy(f *os.File) error {
	pid := holder(f)
	return hint.With(fmt.Errorf("%w (process %d)", ErrBusy, pid), "wait until it has finished; see ps -p %d", pid)
}

// holder is the process whose number is in f, if it is of this user, and has f
// open. 0 is none: the number is that of a run before, or not there yet.
func holder(f *os.File) int {
	const most = 20
	text := make([]byte, most)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	ours, err := f.Stat()
	if err != nil {
		return 0
	}
	dir := fmt.Sprintf("/proc/%d", pid)
	process, err := os.Stat(dir)
	if err != nil || owner(process) != os.Geteuid() {
		return 0
	}
	list, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return 0
	}
	for _, e := range list {
		if open, err := os.Stat(dir + "/fd/" + e.Name()); err == nil && os.SameFile(open, ours) {
			return pid
		}
	}
	return 0
}

// Held reports whether a run is active on h.
func Held(h *host.Host) (bool, error) {
	f, err := os.OpenFile(h.Path(File), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot check for another install: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return holder(f) != 0, nil
	}
	return false, err
}
