package hostlock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
)

func TestLock(t *testing.T) {
	t.Parallel()
	h, _ := hosttest.New(t)
	if busy, err := Held(h); busy || err != nil {
		t.Errorf("before: %v, %v", busy, err)
	}
	release, err := Take(h)
	if err != nil {
		t.Fatal(err)
	}
	if busy, err := Held(h); !busy || err != nil {
		t.Errorf("while: %v, %v", busy, err)
	}
	_, err = Take(h)
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "process ") || !strings.HasPrefix(hint.Of(err), "wait until it has finished; see ps -p ") {
		t.Errorf("a second one: %v (%s)", err, hint.Of(err))
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if busy, err := Held(h); busy || err != nil {
		t.Errorf("after: %v, %v", busy, err)
	}
	if release, err = Take(h); err != nil || release() != nil {
		t.Errorf("again: %v", err)
	}
}

// TestNotRoot: who may not change the host is told so.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	err := cannotLock(&fs.PathError{Op: "open", Path: File, Err: syscall.EACCES})
	if !strings.Contains(err.Error(), "only root") || !strings.Contains(hint.Of(err), "sudo") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

// TestLockOfOthers: a file that others can open is replaced, whoever holds it,
// and so is anything else under that name; no number of an ended run is told.
func TestLockOfOthers(t *testing.T) {
	t.Parallel()
	hold := func(path string) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = f.Close() })
		return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	}
	for what, lay := range map[string]func(path string) error{
		"a file for all, held": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("4242\n"), 0o644), hold(path))
		},
		"a link":      func(path string) error { return os.Symlink("/etc/hostname", path) },
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"an old run":  func(path string) error { return os.WriteFile(path, []byte("4242\n"), 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		h, _ := hosttest.New(t)
		path := h.Path(File)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), lay(path)); err != nil {
			t.Fatal(err)
		}
		release, err := Take(h)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != lockMode {
			t.Errorf("%s: the file is %v, %v", what, info.Mode(), err)
		}
		if _, err := Take(h); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
			t.Errorf("%s, a second one: %v", what, err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
}

// TestLockStale: a lock that is held without a run says no number.
func TestLockStale(t *testing.T) {
	t.Parallel()
	h, _ := hosttest.New(t)
	path := h.Path(File)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("4194305\n"), lockMode)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(h); !errors.Is(err, ErrBusy) || strings.Contains(err.Error()+hint.Of(err), "4194305") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
}
