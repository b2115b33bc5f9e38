package preflight_test

import (
	"os"
	"path/filepath"
	"testing"

	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/preflight"
)

// TestFiles: what keeps root from making files, before the first is made.
func TestFiles(t *testing.T) {
	t.Parallel()
	link := func(to, at string) func(*env) {
		return func(e *env) {
			if err := os.MkdirAll(filepath.Dir(e.h.Path(at)), 0o755); err != nil {
				e.t.Fatal(err)
			}
			if err := os.Symlink(to, e.h.Path(at)); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	file := func(at string) func(*env) { return func(e *env) { e.m.Write(e.t, at, "") } }
	const ok = "files can be created in every directory needed"
	for _, c := range []change{
		{"files", func(*env) {}, preflight.OK, ok, ""},
		{"files", link("/gone", "/root/.kube"), preflight.Failed, "/root/.kube is a link to /gone, which does not exist", "rm /root/.kube"},
		{"files", func(e *env) { joining(e); link("/gone", "/root/.kube")(e) }, preflight.OK, ok, ""},
		{"files", link("/data/docker", "/var/lib/docker"), preflight.Failed, "/var/lib/docker is a link to /data/docker, which", "mount -a"},
		{"files", func(e *env) { file("/data/docker/x")(e); link("/data/docker", "/var/lib/docker")(e) }, preflight.OK, ok, ""},
		{"files", file("/opt/cni"), preflight.Failed, "cannot create files in /opt/cni/bin: /opt/cni is not a directory", "mv /opt/cni /opt/cni.old"},
		{"files", file("/var/lib/kubelet"), preflight.Failed, "/var/lib/kubelet is not a directory", "mv /var/lib/kubelet"},
		{"files", func(e *env) {
			file("/opt/x")(e)
			e.m.Write(e.t, "/proc/self/mountinfo", hosttest.MountInfo(mountsText+"/dev/b /opt ext4 rw,noexec 0 0\n"))
		}, preflight.Failed, "/opt/cni/bin is on /opt, which is mounted noexec", "mount -o remount,exec /opt"},
	} {
		c.test(t)
	}
}
