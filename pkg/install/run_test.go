package install

import (
	"testing"

	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/preflight"
)

// TestReadBytes: all threads count, and a kernel that does not tell is no zero.
func TestReadBytes(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	if n := readBytes(h); n != -1 {
		t.Errorf("a kernel that does not tell: %d", n)
	}
	m.Write(t, "/proc/self/task/7/io", "rchar: 9\nread_bytes: 4096\nwrite_bytes: 1\n", "/proc/self/task/8/io", "read_bytes: 8192\n",
		"/proc/self/io", "read_bytes: 999999\n")
	if n := readBytes(h); n != 12288 {
		t.Errorf("%d bytes", n)
	}
}

// TestWithHint: a warning of preflight is reported with what helps.
func TestWithHint(t *testing.T) {
	t.Parallel()
	c := preflight.Check{Name: "proxy", State: preflight.Warning, Message: "the shell has a proxy", Hint: "unset https_proxy"}
	if got := withHint(c); got != "the shell has a proxy (hint: unset https_proxy)" {
		t.Error(got)
	}
	c.Hint = ""
	if got := withHint(c); got != "the shell has a proxy" {
		t.Error(got)
	}
}
