package install

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host/hosttest"
)

// TestFullDisk: whatever an error says, a full disk is named first.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	at := h.Path("/var/lib/kubecrate")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this host mounts nothing for a test: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	m.Write(t, stateFile, `{"bundle": `)
	_, err := Reset(t.Context(), h, ResetRequest{})
	if err == nil || !strings.HasPrefix(err.Error(), "the file system of / is full: cannot read the installation's state") || !strings.HasPrefix(hint.Of(err), "df -h /") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}
