//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// hosts are machines of a test, in a lab of their own.
type hosts struct {
	*lab.Room
	*lab.Lab
	t  *testing.T
	on []*lab.Machine
}

// needHosts skips where this machine cannot run hosts.
func needHosts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "hosts need root")
	}
	for _, tool := range []string{"debootstrap", "dockerd", "unshare", "rpmbuild", "createrepo_c"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "hosts need "+tool+": run test/e2e/setup")
		}
	}
}

// newHosts boots hosts, or skips where this machine cannot.
func newHosts(t *testing.T, names ...string) *hosts {
	t.Helper()
	needHosts(t)
	l, err := lab.New(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("cannot end the lab: %v", err)
		}
	})
	h := &hosts{Lab: l, t: t}
	rpms := filepath.Join(l.Dir, "base")
	base := lab.Spec{Name: "lab-base", Version: "7.9", Release: "1.el7", Provides: []string{"/bin/sh", "systemd"}}
	if err := l.BuildRPMs(t.Context(), rpms, base); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if h.Room, h.on, err = l.StartHosts(t.Context(), filepath.Join(rpms, base.FileName()), names...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d hosts are up after %v", len(h.on), time.Since(started).Round(100*time.Millisecond))
	return h
}

// must runs a command that has to succeed on a host.
func (h *hosts) must(m *lab.Machine, argv ...string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	out, err := m.Must(ctx, argv...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// code is how a command ends on a host.
func (h *hosts) code(m *lab.Machine, argv ...string) (string, int) {
	h.t.Helper()
	out, code, err := m.Run(h.t.Context(), argv...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out, code
}

// TestHosts: what the installer's tests stand on.
func TestHosts(t *testing.T) {
	h := newHosts(t)
	// For a look around: docker -H unix://DIR/hosts/docker.sock exec -it host1 bash
	if hold := os.Getenv("KUBECRATE_LAB_HOLD"); hold != "" {
		t.Logf("the hosts of %s are kept until there is a file %s", h.Dir, hold)
		for _, err := os.Stat(hold); err != nil; _, err = os.Stat(hold) {
			time.Sleep(time.Second)
		}
	}
	t.Run("isolation", func(t *testing.T) { h.in(t).isolation() })
	t.Run("firewall", func(t *testing.T) { h.in(t).firewall() })
	t.Run("stick", func(t *testing.T) { h.in(t).stick() })
	t.Run("yum", func(t *testing.T) { h.in(t).yum() })
	t.Run("docker", func(t *testing.T) { h.in(t).dockerWithin() })
	t.Run("kill", func(t *testing.T) { h.in(t).kill() })
	t.Run("reboot", func(t *testing.T) { h.in(t).reboot() })
}

func (h *hosts) in(t *testing.T) *hosts {
	return &hosts{Room: h.Room, Lab: h.Lab, t: t, on: h.on}
}

// isolation: each host reaches the others and nothing else, not even when it
// tries to by itself.
func (h *hosts) isolation() {
	for _, m := range h.on {
		for _, other := range h.on {
			h.must(m, "ping", "-c", "1", "-W", "2", other.Address)
		}
		if out := h.must(m, "ip", "route", "show", "default"); out != "" {
			h.t.Errorf("%s has a way out: %s", m.Name, out)
		}
		resolv, err := m.ReadFile(h.t.Context(), "/etc/resolv.conf")
		if err != nil {
			h.t.Fatal(err)
		}
		if strings.Contains(string(resolv), "nameserver") {
			h.t.Errorf("%s has a nameserver: %s", m.Name, resolv)
		}
	}
	m := h.on[0]
	if out, code := h.code(m, "curl", "-sS", "--max-time", "3", "http://192.0.2.1/"); code != 7 {
		h.t.Errorf("curl to the outside: exit code %d: %s", code, out)
	}
	h.must(m, "ip", "route", "add", "default", "via", "192.168.77.1")
	out, code := h.code(m, "curl", "-sS", "--max-time", "3", "http://192.0.2.1/")
	h.must(m, "ip", "route", "del", "default")
	if code != 7 {
		h.t.Errorf("curl to the outside with a route: exit code %d: %s", code, out)
	}
}

// firewall: the ports of Kubernetes are shut until firewalld is off.
func (h *hosts) firewall() {
	server, client := h.on[0], h.on[1]
	job, err := server.Start(h.t.Context(), "python3", "-m", "http.server", "6443")
	if err != nil {
		h.t.Fatal(err)
	}
	fetch := []string{"curl", "--silent", "--retry", "10", "--retry-delay", "1", "--retry-connrefused", "-o", "/dev/null"}
	h.must(server, append(fetch, "http://127.0.0.1:6443/hosts")...)
	if out, code := h.code(client, "curl", "-sS", "http://"+server.Address+":6443/"); code != 7 {
		h.t.Errorf("a port behind firewalld: exit code %d: %s", code, out)
	}
	h.must(server, "systemctl", "stop", "firewalld")
	h.must(client, append(fetch, "http://"+server.Address+":6443/")...)
	h.must(server, "systemctl", "start", "firewalld")
	h.killed(job)
}

// killed kills a job and asserts its end.
func (h *hosts) killed(job *lab.Job) {
	h.t.Helper()
	if err := job.Kill(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Second)
	defer cancel()
	if out, code, err := job.Wait(ctx); code != 137 || err != nil {
		h.t.Errorf("a killed job ends with code %d, %v: %s", code, err, out)
	}
}

// stick: what one host leaves on it, another finds.
func (h *hosts) stick() {
	text := []byte("ticket\n")
	if err := h.on[0].WriteFile(h.t.Context(), "/mnt/usb/join.yaml", text, 0o600); err != nil {
		h.t.Fatal(err)
	}
	there, err := h.on[2].ReadFile(h.t.Context(), "/mnt/usb/join.yaml")
	if err != nil || !bytes.Equal(there, text) {
		h.t.Errorf("another host reads %q, %v", there, err)
	}
	if here, err := os.ReadFile(filepath.Join(h.Stick, "join.yaml")); err != nil || !bytes.Equal(here, text) {
		h.t.Errorf("the stick holds %q, %v", here, err)
	}
}

const probeRepo = `[probe]
name=probe
baseurl=file:///mnt/usb/probe
enabled=0
gpgcheck=0
`

// yum: a package installs into the host itself with its scriptlet, one whose
// requirement nobody provides does not.
func (h *hosts) yum() {
	dir, m := filepath.Join(h.Stick, "probe"), h.on[1]
	probe := lab.Spec{Name: "probe", Version: "1", Release: "1.el7", Requires: []string{"/bin/sh", "systemd"},
		Files: map[string]string{"/usr/bin/probe": "#!/bin/sh"}, Post: "echo $1 > /etc/probe"}
	lost := lab.Spec{Name: "lost", Version: "1", Release: "1.el7", Requires: []string{"nobody-provides-this"}}
	if err := h.BuildRPMs(h.t.Context(), dir, probe, lost); err != nil {
		h.t.Fatal(err)
	}
	if err := lab.CreateRepo(h.t.Context(), dir); err != nil {
		h.t.Fatal(err)
	}
	if err := m.WriteFile(h.t.Context(), "/etc/yum.repos.d/probe.repo", []byte(probeRepo), 0o644); err != nil {
		h.t.Fatal(err)
	}
	install := []string{"yum", "--disablerepo=*", "--enablerepo=probe", "--assumeyes", "install"}
	h.must(m, append(install, "probe-1-1.el7")...)
	if got := h.must(m, "cat", "/etc/probe"); got != "1\n" {
		h.t.Errorf("the scriptlet wrote %q", got)
	}
	h.must(m, "rpm", "--verify", "probe")
	if out, code := h.code(m, append(install, "lost")...); code == 0 || !strings.Contains(out, "nobody-provides-this") {
		h.t.Errorf("lost installs: exit code %d: %s", code, out)
	}
	h.must(m, "yum", "--disablerepo=*", "--assumeyes", "remove", "probe")
}

// dockerWithin: Debian's docker runs on a host, with the runtime that the
// host's own daemon.json names.
func (h *hosts) dockerWithin() {
	m := h.on[1]
	for _, name := range []string{"dockerd", "containerd", "containerd-shim-runc-v2", "runc", "/usr/bin/docker", "docker-init"} {
		path, err := exec.LookPath(name)
		if err != nil {
			missing(h.t, err.Error())
		}
		if err := m.Copy(h.t.Context(), path, "/usr/local/bin/"+filepath.Base(name)); err != nil {
			h.t.Fatal(err)
		}
	}
	h.must(m, "systemd-run", "--unit=docker", "--service-type=notify", "dockerd")
	if got := h.must(m, "docker", "info", "--format", "{{.Driver}} {{.DefaultRuntime}}"); got != "overlay2 lab\n" {
		h.t.Errorf("docker info: %s\n%s", got, m.Logs(h.t.Context(), "docker"))
	}
	h.must(m, "tar", "-C", "/usr/local/bin", "-cf", "/tmp/probe.tar", "docker-init")
	h.must(m, "docker", "import", "/tmp/probe.tar", "probe")
	out := h.must(m, "docker", "run", "--privileged", "--oom-score-adj=-998", "--ulimit=nofile=1048576", "probe", "/docker-init", "--version")
	if !strings.Contains(out, "tini") {
		h.t.Errorf("docker run: %s", out)
	}
	h.must(m, "systemctl", "stop", "docker")
}

// kill: SIGKILL ends a command, not its children, however they share its output.
func (h *hosts) kill() {
	m := h.on[0]
	job, err := m.Start(h.t.Context(), "timeout", "300", "sleep", "299")
	if err != nil {
		h.t.Fatal(err)
	}
	child := []string{"pgrep", "--full", "^sleep 299"}
	for _, code := h.code(m, child...); code != 0; _, code = h.code(m, child...) {
		time.Sleep(50 * time.Millisecond)
	}
	h.killed(job)
	if out, code := h.code(m, "pkill", "--full", "^sleep 299"); code != 0 {
		h.t.Errorf("the child is gone: exit code %d: %s", code, out)
	}
}

// reboot: what is on the disk stays, what is in memory goes, and so it is after
// a crash.
func (h *hosts) reboot() {
	m := h.on[0]
	id := h.must(m, "cat", "/etc/machine-id")
	for _, again := range []func(context.Context) error{m.Reboot, m.Crash} {
		h.must(m, "touch", "/run/mark", "/var/lib/mark", "/etc/mark")
		h.must(m, "hostname", "other")
		started := time.Now()
		if err := again(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		h.t.Logf("up again after %v", time.Since(started).Round(100*time.Millisecond))
		if _, code := h.code(m, "ls", "/run/mark"); code == 0 {
			h.t.Error("/run outlives a boot")
		}
		h.must(m, "rm", "/var/lib/mark", "/etc/mark")
		if got := h.must(m, "cat", "/proc/sys/kernel/hostname"); got != m.Name+"\n" {
			h.t.Errorf("hostname after a boot: %s", got)
		}
		if got := h.must(m, "cat", "/etc/machine-id"); got != id || len(id) != 33 {
			h.t.Errorf("machine-id after a boot: %s, before %s", got, id)
		}
		h.must(m, "systemctl", "is-active", "firewalld")
		if out := h.must(m, "ip", "route", "show", "default"); out != "" {
			h.t.Errorf("%s has a way out after a boot: %s", m.Name, out)
		}
	}
}
