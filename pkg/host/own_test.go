package host_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

func TestOwn(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/fstab", "x")
	r := &tape{}
	w := h.With(r)
	const path = "/var/lib/kubecrate/repo/a.rpm"
	if err := w.State().Store(path, strings.NewReader("one"), host.FileMode); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("tw"), iotest.ErrReader(errors.New("damaged")))
	if err := w.State().Store(path, broken, host.FileMode); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged source: %v", err)
	}
	if got := m.Read(t, path); got != "one" {
		t.Errorf("it holds %q", got)
	}
	if left, err := filepath.Glob(h.Path("/var/lib/kubecrate/repo/.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for what, err := range map[string]error{
		"store of others":   w.State().Store("/etc/fstab", strings.NewReader(""), host.FileMode),
		"discard of others": w.State().Discard("/var/lib/kubecrate/../../../etc/fstab"),
		"read-only store":   h.State().Store(path, strings.NewReader(""), host.FileMode),
		"read-only discard": h.State().Discard(path),
	} {
		if err == nil {
			t.Errorf("%s worked", what)
		}
	}
	log, err := w.State().Log("/var/lib/kubecrate/yum.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m.Programs["yum"] = func([]string, string) (string, error) { return "said", &hosttest.Exit{Code: 1, Stderr: "failed"} }
	if out, err := h.Run(t.Context(), host.Cmd{Argv: []string{"yum"}, Log: log}); len(out) > 0 || host.ExitCode(err) != 1 {
		t.Errorf("yum: %q, %v", out, err)
	}
	if got := m.Read(t, "/var/lib/kubecrate/yum.log"); got != "saidfailed" {
		t.Errorf("the log holds %q", got)
	}
	if err := w.State().Discard("/var/lib/kubecrate/repo"); err != nil || m.Read(t, path) != "" {
		t.Errorf("discard: %v", err)
	}
	if len(r.files) > 0 {
		t.Errorf("recorded %v", r.files)
	}
}
