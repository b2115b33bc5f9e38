package distro_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/rpm/rpmtest"
)

// TestHostConfig: what the host's own configuration says is in nobody's way.
func TestHostConfig(t *testing.T) {
	t.Parallel()
	for _, config := range []string{"assumeno=1\n", "reposdir=/etc/elsewhere\n", "[kubecrate]\nname=another\nbaseurl=file:///srv\n"} {
		w := newWorld(t, kernel)
		w.m.Write(t, "/etc/yum.conf", "[main]\n"+config, "/etc/yum.repos.d/base.repo", "[base]\nbaseurl=http://192.0.2.1/\n")
		before := w.m.State(t)
		if err := w.apply(t); err != nil {
			t.Errorf("%q: %v", config, err)
		}
		w.installed(t, kernel, dockerCE, kubelet, selinux, ipset)
		if err := w.reset(t); err != nil || w.m.State(t) != before {
			t.Errorf("%q: reset: %v\n%s", config, err, w.m.State(t))
		}
	}
}

// TestHostConfigForReal lets the real dnf install on a host whose configuration
// refuses everything.
func TestHostConfigForReal(t *testing.T) {
	t.Parallel()
	needLab(t)
	l := newLab(t)
	spec := rpmtest.Spec{Name: "tool", Version: "1.0", Release: "1", Arch: "noarch"}
	b := realBundle(t, spec)
	const config = "[main]\nassumeno=1\nreposdir=/etc/elsewhere\ntsflags=test\nexclude=*\nexcludepkgs=*\nproxy=http://192.0.2.1:3128\ncachedir=/proc/none\nbest=1\nplugins=1\nmodule_platform_id=x\n"
	for _, file := range []string{"etc/yum.conf", "etc/dnf/dnf.conf"} {
		path := filepath.Join(l.h.Root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.h.Root, "etc/yum.repos.d/broken.repo"), []byte("no section\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.run(t, b); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(l.calls, "\n"))
	}
	l.installed(t, "tool-1.0")
	l.reset(t)
	l.installed(t)
}
