package host_test

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/host"
)

// TestEnviron: what the operator's shell has set reaches no program.
func TestEnviron(t *testing.T) {
	for _, name := range []string{
		"http_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "KUBECONFIG", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTENT_TRUST",
		"CONTAINER_RUNTIME_ENDPOINT", "CONTAINERD_NAMESPACE", "ETCDCTL_API", "LD_LIBRARY_PATH", "PYTHONPATH", "RPM_CONFIGDIR", "SYSTEMD_PAGER",
		"LANGUAGE", "LC_MESSAGES", "TZ", "IFS", "TMPDIR", "A_VARIABLE_OF_NOBODY",
	} {
		t.Setenv(name, "/from/the/shell")
	}
	t.Setenv("TERM", "vt100")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	t.Setenv("PATH", "/from/the/shell")
	out, err := host.Exec{}.Run(t.Context(), host.Command("env"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	want := []string{
		"HOME=/root", "LANG=C", "LC_ALL=C", "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SHELL=/bin/sh", "TERM=vt100", "USER=root",
	}
	if !slices.Equal(got, want) {
		t.Errorf("a program sees %q, want %q", got, want)
	}
}
