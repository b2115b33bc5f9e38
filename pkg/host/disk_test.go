package host_test

import (
	"os"
	"strings"
	"testing"

	"kubecrate/pkg/host/hosttest"
)

func TestExisting(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/data/docker/x", "", "/var/lib/y", "")
	for name, target := range map[string]string{"/var/lib/docker": "/data/docker", "/var/lib/up": "../../data", "/loop": "loop", "/top": "/"} {
		if err := os.Symlink(target, h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/":                    "/",
		"/var/lib":             "/var/lib",
		"/var/lib/etcd/member": "/var/lib",
		"/var/lib/docker/a/b":  "/data/docker",
		"/var/lib/up/docker":   "/data/docker",
		"/data/docker/x/y":     "/data/docker/x",
		"/top/var":             "/var",
		"/../../var/lib":       "/var/lib",
	} {
		if got, err := h.Existing(path); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", path, got, err, want)
		}
	}
	if _, err := h.Existing("/loop/a"); err == nil || !strings.Contains(err.Error(), "/loop/a") {
		t.Errorf("a loop: %v", err)
	}
	size, free, err := h.Space("/var/lib/docker/overlay2")
	if err != nil || size <= 0 || free < 0 || free > size {
		t.Errorf("space: %d of %d, %v", free, size, err)
	}
}
