package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	roomNet    = "room"
	roomPrefix = "192.168.77."
	roomFirst  = 11 // the last number of the first host's address
)

// systemContainerd is where a dockerd looks for one to use before it starts its own.
const systemContainerd = "/run/containerd/containerd.sock"

// startHostDocker starts the dockerd whose containers are the hosts, in
// namespaces of its own. That of the network has no link to the outside, so
// there is no way out whatever a host does, and bridges and iptables rules go
// with it; the mounts are not the machine's; and when this dockerd ends, however
// it does, the kernel ends what it started.
func (l *Lab) startHostDocker(ctx context.Context) (*Docker, error) {
	if _, err := os.Stat(systemContainerd); err == nil {
		return nil, fmt.Errorf("cannot start dockerd: it would use this machine's containerd at %s: stop that first", systemContainerd)
	}
	dir := filepath.Join(l.Dir, "hosts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot start dockerd: %w", err)
	}
	runc := filepath.Join(dir, "lab-runc")
	if err := l.runcwrap(ctx, runc); err != nil {
		return nil, fmt.Errorf("cannot build the runtime: %w", err)
	}
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o644); err != nil {
		return nil, fmt.Errorf("cannot start dockerd: %w", err)
	}
	d := &Docker{socket: "unix://" + filepath.Join(dir, "docker.sock")}
	l.OnClose(l.removeCgroups)
	p, err := l.startIn("hosts", syscall.CLONE_NEWPID|syscall.CLONE_NEWNS|syscall.CLONE_NEWNET,
		// --mount-proc: dockerd and runc look themselves up in /proc. unshare becomes dockerd.
		"unshare", "--mount-proc", "dockerd", "-H", d.socket, "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--config-file", config,
		"--bridge=none", "--storage-driver=overlay2", "--cgroup-parent", l.cgroup(),
		"--add-runtime", "lab="+runc, "--default-runtime", "lab")
	if err != nil {
		return nil, err
	}
	// All it holds goes with the run directory: there is nothing to shut down in order.
	l.OnClose(func() error {
		if err := p.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return nil
	})
	if err := p.Ready(ctx, func() error {
		_, err := d.Run(ctx, "version")
		return err
	}); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	_, err = d.Run(ctx, "network", "create", "--internal", "--subnet", roomPrefix+"0/24", roomNet)
	return d, err
}

// cgroup is the parent of the hosts' control groups. test/e2e/setup --stop
// knows it by the run directory's name.
func (l *Lab) cgroup() string { return "/" + filepath.Base(l.Dir) }

// removeCgroups removes the control groups that the hosts left.
func (l *Lab) removeCgroups() error {
	top, err := filepath.Glob("/sys/fs/cgroup/*" + l.cgroup())
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range append(top, "/sys/fs/cgroup"+l.cgroup()) {
		errs = append(errs, removeTree(dir))
	}
	return errors.Join(errs...)
}

// removeTree removes folders, the innermost first, and no files: those of a
// control group go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(dir)
}

// kernelKeys are settings of the whole machine that systemd, dockerd, the kubelet
// or the installer change on a host: there is one kernel beneath them all.
func kernelKeys() []string {
	return []string{"fs/file-max", "fs/nr_open", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic",
		"kernel/panic_on_oops", "kernel/pid_max", "vm/max_map_count", "vm/overcommit_memory", "vm/panic_on_oom", "vm/swappiness"}
}

// keepKernel notes the machine's settings and has Close restore them. The note
// is for test/e2e/setup --stop: a path and a value a line.
func (l *Lab) keepKernel() error {
	var note strings.Builder
	for _, key := range kernelKeys() {
		path := filepath.Join("/proc/sys", key)
		value, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot note the kernel's settings: %w", err)
		}
		fmt.Fprintf(&note, "%s %s", path, value)
		l.OnClose(func() error { return os.WriteFile(path, value, 0o644) })
	}
	if err := os.WriteFile(filepath.Join(l.Dir, "kernel"), []byte(note.String()), 0o644); err != nil {
		return fmt.Errorf("cannot note the kernel's settings: %w", err)
	}
	return nil
}
