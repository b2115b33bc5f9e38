package install

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
)

func TestLock(t *testing.T) {
	t.Parallel()
	h, _ := hosttest.New(t)
	if busy, err := locked(h); busy || err != nil {
		t.Errorf("before: %v, %v", busy, err)
	}
	release, err := lock(h)
	if err != nil {
		t.Fatal(err)
	}
	if busy, err := locked(h); !busy || err != nil {
		t.Errorf("while: %v, %v", busy, err)
	}
	_, err = lock(h)
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "process ") || !strings.HasPrefix(hint.Of(err), "wait until it is done; ps -p ") {
		t.Errorf("a second one: %v (%s)", err, hint.Of(err))
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if busy, err := locked(h); busy || err != nil {
		t.Errorf("after: %v, %v", busy, err)
	}
	if release, err = lock(h); err != nil || release() != nil {
		t.Errorf("again: %v", err)
	}
}

// TestNotRoot: who may not change the host is told so.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	err := cannotLock(&fs.PathError{Op: "open", Path: lockFile, Err: syscall.EACCES})
	if !strings.Contains(err.Error(), "only root") || !strings.Contains(hint.Of(err), "sudo") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}
