package host_test

import (
	"errors"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

func TestClear(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/var/lib/etcd/member/wal/0", "x", "/var/lib/etcd/lost", "x", "/etc/kubernetes/admin.conf", "x", "/etc/fstab", "x")
	if err := h.Clear("/etc/fstab"); !errors.Is(err, host.ErrReadOnly) {
		t.Errorf("without a recorder: %v", err)
	}
	if err := h.ClearDir("/etc"); !errors.Is(err, host.ErrReadOnly) {
		t.Errorf("without a recorder: %v", err)
	}
	w := h.With(&tape{})
	for _, root := range []string{"", "/", "/etc/.."} {
		if w.Clear(root) == nil {
			t.Errorf("%q may be removed", root)
		}
	}
	for _, err := range []error{w.ClearDir("/var/lib/etcd"), w.ClearDir("/nowhere"), w.Clear("/etc/kubernetes"), w.Clear("/nowhere")} {
		if err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]bool{"/var/lib/etcd": true, "/var/lib/etcd/member": false, "/etc/kubernetes": false, "/etc/fstab": true} {
		if got, err := h.Exists(path); err != nil || got != want {
			t.Errorf("%s: there %v, %v", path, got, err)
		}
	}
}
