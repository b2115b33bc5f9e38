package install

import (
	"errors"
	"strings"
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
