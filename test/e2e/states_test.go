//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// state is something wrong with a host that preflight names before anything is
// changed. Each command is argv, in words; undo is what the hint says, but for
// what only the test made.
type state struct {
	name       string
	make, undo []string
	says, hint string
}

// badStates are those that stop a master.
func badStates() []state {
	return []state{
		{"a bridge of another network", []string{"ip link add cni0 type bridge", "ip address add 10.99.0.1/24 dev cni0"}, []string{"ip link delete cni0"},
			"leftovers +an earlier network .* left cni0 \\(10\\.99\\.0\\.1/24\\)", "ip link delete cni0"},
		{"chains of calico", []string{"iptables -N cali-FORWARD", "iptables -A FORWARD -j cali-FORWARD"}, []string{"iptables-save | grep -v -e ':cali-' -e ' cali-' | iptables-restore"},
			"leftovers +.*1 chains of calico", "iptables-save | grep -v -e ':cali-' -e ' cali-' | iptables-restore"},
		{"rules that end in a drop", []string{"systemctl stop firewalld", "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "iptables -A INPUT -j DROP"},
			[]string{"iptables -F INPUT", "systemctl start firewalld"}, "filter +a rule of this host \\(-A INPUT -j DROP\\) drops .*TCP 6443", "iptables -I INPUT -s 192.168.77.0/24 -j ACCEPT; iptables -I INPUT -s 10.244.0.0/16 -j ACCEPT"},
		{"an immutable fstab", []string{"chattr +i /etc/fstab"}, []string{"chattr -i /etc/fstab"}, "/etc/fstab is immutable", "chattr -i /etc/fstab"},
		{"an immutable directory", []string{"chattr +i /etc/sysctl.d"}, []string{"chattr -i /etc/sysctl.d"}, "/etc/sysctl.d is immutable", "chattr -i /etc/sysctl.d"},
		{"a dangling link", []string{"ln -s /gone /root/.kube"}, []string{"rm /root/.kube"}, "/root/.kube is a link to /gone, which does not exist", "rm /root/.kube"},
		{"a noexec mount", []string{"mount -t tmpfs -o noexec none /opt"}, []string{"umount /opt"}, "/opt/cni/bin is on /opt, which is mounted noexec", "mount -o remount,exec /opt"},
		{"a full disk", []string{"mount -t tmpfs -o size=1m none /opt"}, []string{"umount /opt"}, "the file system of /opt is full", "df -h /opt"},
		{"a read-only mount", []string{"mount -t tmpfs -o ro none /opt"}, []string{"umount /opt"}, "file system that is mounted read-only", "mount -o remount,rw /opt"},
		{"a proxy of the kubelet", []string{"mkdir /etc/systemd/system/kubelet.service.d", "printf '[Service]\\nEnvironment=HTTPS_PROXY=http://192.0.2.1:3128\\n' >/etc/systemd/system/kubelet.service.d/proxy.conf"},
			[]string{"rm -r /etc/systemd/system/kubelet.service.d"}, "proxy +/etc/systemd/system/kubelet.service.d/proxy.conf sets", "to NO_PROXY"},
		{"a proxy of systemd", []string{"systemctl set-environment HTTPS_PROXY=http://192.0.2.1:3128"}, []string{"systemctl unset-environment HTTPS_PROXY"}, "proxy +systemd sets an HTTP proxy", "systemctl unset-environment HTTPS_PROXY"},
		{"a daemon.json with a comment", []string{"cp -a /etc/docker/daemon.json /root/", "echo '{ // mine' >/etc/docker/daemon.json"}, []string{"mv /root/daemon.json /etc/docker/"}, "/etc/docker/daemon.json", "daemon.json"},
		{"a name that no node can have", []string{"hostname localhost"}, []string{"hostname host1"}, "hostname +the hostname is", "--hostname NAME"},
	}
}

// TestBadStates: what stops an installation is named before it begins, with what
// helps; what need not stop it does not; and a master is Ready in the end by the
// same command, whatever ended the ones before.
func TestBadStates(t *testing.T) {
	c := newCluster(t, "host1")
	if err := os.WriteFile(filepath.Join(c.Stick, "lab.yaml"), []byte(clusterFile), 0o644); err != nil {
		t.Fatal(err)
	}
	m := c.on[0]
	c.step("named", func(*testing.T) {
		before := c.snapshot(m)
		for _, s := range badStates() {
			c.named(m, s)
		}
		c.same(m, before, "the states")
	})
	c.oddHost(m)
	before := c.snapshot(m)
	c.step("full disk", func(*testing.T) { c.fullDisk(m) })
	c.step("killed", func(*testing.T) { c.killed(m, "master", 1) })
	c.step("survived", func(*testing.T) {
		c.mustInstall(m, 0, "status")
		if ready := c.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}"); ready != "True" {
			t.Errorf("nodes: %s", ready)
		}
		const none = 1 // of grep
		if out, code := c.code(m, "grep", "-r", "192.0.2.1", "/etc/kubernetes"); code != none {
			t.Errorf("the proxy is in the control plane: exit code %d\n%s", code, out)
		}
	})
	c.step("reset", func(*testing.T) {
		c.mustInstall(m, 0, "reset", "--yes")
		c.must(m, "umount", "/var/lib/docker")
		c.same(m, before, "reset")
	})
}

// TestSoakMasterKills ends twenty installations of a master by SIGKILL and lets
// the same command end every one: make soak.
func TestSoakMasterKills(t *testing.T) {
	if os.Getenv("KUBECRATE_SOAK") == "" {
		t.Skip("make soak runs it")
	}
	c := newCluster(t, "host1")
	if err := os.WriteFile(filepath.Join(c.Stick, "lab.yaml"), []byte(clusterFile), 0o644); err != nil {
		t.Fatal(err)
	}
	before := c.snapshot(c.on[0])
	c.killed(c.on[0], "master", soakKills)
	c.mustInstall(c.on[0], 0, "reset", "--yes")
	c.same(c.on[0], before, "reset")
}

// shell runs a line on a host, as an operator types it.
func (c *cluster) shell(m *lab.Machine, line string) string {
	c.t.Helper()
	return c.must(m, "sh", "-c", line)
}

// named brings a host into a state, and out of it again.
func (c *cluster) named(m *lab.Machine, s state) {
	c.t.Helper()
	for _, line := range s.make {
		c.shell(m, line)
	}
	began := time.Now()
	out, code := c.install(m, append([]string{"preflight"}, role(m, "master")...)...)
	if code != 3 || !regexp.MustCompile(s.says).MatchString(out) || !strings.Contains(out, s.hint) {
		c.t.Errorf("%s: exit code %d, want 3, %q and %q in\n%s", s.name, code, s.says, s.hint, out)
	}
	c.t.Logf("%s: named after %v", s.name, time.Since(began).Round(time.Millisecond))
	for _, line := range s.undo {
		c.shell(m, line)
	}
}

// oddHost gives a host all at once what an installation has to live with.
func (c *cluster) oddHost(m *lab.Machine) {
	c.t.Helper()
	const config = "[main]\nassumeno=1\nreposdir=/etc/elsewhere\ntsflags=test\nexclude=*\nproxy=http://192.0.2.1:3128\n"
	for name, text := range map[string]string{
		"/etc/yum.conf": config, "/etc/dnf/dnf.conf": config, "/etc/yum.repos.d/broken.repo": "no section\n",
		"/etc/systemd/system/docker.service.d/http-proxy.conf": "[Service]\nEnvironment=HTTP_PROXY=http://192.0.2.1:3128 HTTPS_PROXY=http://192.0.2.1:3128\n",
		"/etc/environment":                         "https_proxy=http://192.0.2.1:3128\n",
		"/etc/cni/net.d/87-podman-bridge.conflist": `{"cniVersion": "0.4.0", "name": "podman", "plugins": [{"type": "bridge", "bridge": "cni-podman0", "ipam": {"type": "host-local", "subnet": "10.88.0.0/16"}}]}`,
		"/root/.docker/config.json":                `{"proxies": {"default": {"httpProxy": "http://192.0.2.1:3128"}}}`,
		"/etc/sysctl.conf":                         "net.ipv4.ip_forward = 0\n",
	} {
		if err := m.WriteFile(c.t.Context(), name, []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, line := range []string{
		"ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf", "mount -o remount,noexec /tmp",
		"mkdir /var/lib/docker", "mount -t tmpfs -o size=6g none /var/lib/docker",
	} {
		c.shell(m, line)
	}
}

// odd is a command line of the installer as that of a shell in which everything
// is set that a program might read.
func odd(args ...string) []string {
	const shell = `umask 077; export https_proxy=http://192.0.2.1:3128 HTTPS_PROXY=http://192.0.2.1:3128 HTTP_PROXY=http://192.0.2.1:3128 ` +
		`ALL_PROXY=socks5://192.0.2.1:1080 KUBECONFIG=/nonexistent DOCKER_HOST=tcp://192.0.2.1:2375 DOCKER_CONTENT_TRUST=1 CONTAINERD_NAMESPACE=x ` +
		`ETCDCTL_API=9 LC_ALL=de_DE.UTF-8 LANGUAGE=de TMPDIR=/nonexistent PYTHONHOME=/nonexistent RPM_CONFIGDIR=/nonexistent SYSTEMD_LOG_LEVEL=debug; exec "$0" "$@"`
	return append([]string{"sh", "-c", shell, "/mnt/usb/install"}, args...)
}

// fullDisk fills the disk of the images in the middle of an installation: that
// is said then, and by the next command first of all; with room again the same
// command goes on.
func (c *cluster) fullDisk(m *lab.Machine) {
	job, err := m.Start(c.t.Context(), odd(role(m, "master")...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	const dir = "/var/lib/docker"
	shrink := func() {
		c.t.Helper()
		for { // what is written in between makes it too small
			used, err := strconv.Atoi(strings.Fields(c.must(m, "df", "--output=used", "-k", dir))[1])
			if err != nil {
				c.t.Fatal(err)
			}
			if _, code := c.code(m, "mount", "-o", fmt.Sprintf("remount,size=%dk", used+1024), dir); code == 0 {
				return
			}
		}
	}
	ready := regexp.MustCompile(`(?m)^\d+/\d+ +docker +done`)
	for !ready.MatchString(job.Output()) {
		short, cancel := context.WithTimeout(c.t.Context(), 20*time.Millisecond)
		said, code, err := job.Wait(short)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			c.t.Fatalf("no image is loaded: exit code %d, %v\n%s", code, err, said)
		}
	}
	shrink()
	said, code, err := job.Wait(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, want := range []string{"full", "df -h " + dir} {
		if code == 0 || !strings.Contains(said, want) {
			c.t.Errorf("on a disk that got full: exit code %d, and it does not say %q:\n%s", code, want, said)
		}
	}
	c.t.Logf("on a disk that got full: exit code %d\n%s", code, said)
	shrink()
	out, code := c.install(m, role(m, "master")...)
	if code != 3 || !strings.Contains(out, "the file system of "+dir+" is full") {
		c.t.Errorf("the next command: exit code %d\n%s", code, out)
	}
	c.must(m, "mount", "-o", "remount,size=6g", dir)
}
