package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// dockerClient is Debian's: another client may come first in PATH.
const dockerClient = "/usr/bin/docker"

// Docker is a real dockerd with its own data, socket and containerd.
type Docker struct{ socket string }

// StartDocker starts a dockerd of its own without networks, so that it changes
// nothing of the machine. It needs root. The storage driver is overlay2, or vfs where
// dockerd does not start with that.
func (l *Lab) StartDocker(ctx context.Context) (*Docker, error) {
	var errs []error
	for _, driver := range []string{"overlay2", "vfs"} {
		d, err := l.startDocker(ctx, driver)
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("cannot start dockerd: %w", errors.Join(errs...))
}

func (l *Lab) startDocker(ctx context.Context, driver string) (*Docker, error) {
	dir, err := os.MkdirTemp(l.Dir, "docker-"+driver+"-")
	if err != nil {
		return nil, err
	}
	// An own, empty configuration: the machine's may name keys that stand on the command line, too.
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o644); err != nil {
		return nil, err
	}
	d := &Docker{socket: "unix://" + filepath.Join(dir, "docker.sock")}
	p, err := l.Start(filepath.Base(dir), "dockerd", "-H", d.socket, "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--config-file", config,
		"--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver="+driver)
	if err != nil {
		return nil, err
	}
	err = p.Ready(ctx, func() error {
		_, err := d.Run(ctx, "version")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return d, nil
}

// Argv is docker ARGS, for this dockerd.
func (d *Docker) Argv(args ...string) []string {
	return append([]string{dockerClient, "-H", d.socket}, args...)
}

// Run runs docker ARGS against this dockerd.
func (d *Docker) Run(ctx context.Context, args ...string) (string, error) {
	return Run(ctx, d.Argv(args...)...)
}

// Load is tar -C dir -c . | docker load, as a user types it.
func (d *Docker) Load(ctx context.Context, dir string) (string, error) {
	return Pipe(ctx, []string{"tar", "-C", dir, "-c", "."}, d.Argv("load"))
}

// Containerd is a real containerd with its own data and socket.
type Containerd struct{ socket string }

const containerdConfig = `version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = %q
`

// StartContainerd starts a containerd of its own. It needs root.
func (l *Lab) StartContainerd(ctx context.Context) (*Containerd, error) {
	dir, err := os.MkdirTemp(l.Dir, "containerd-")
	if err != nil {
		return nil, fmt.Errorf("cannot start containerd: %w", err)
	}
	c := &Containerd{socket: filepath.Join(dir, "containerd.sock")}
	config := filepath.Join(dir, "config.toml")
	text := fmt.Appendf(nil, containerdConfig, filepath.Join(dir, "root"), filepath.Join(dir, "state"), c.socket)
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return nil, fmt.Errorf("cannot start containerd: %w", err)
	}
	p, err := l.Start(filepath.Base(dir), "containerd", "--config", config)
	if err != nil {
		return nil, err
	}
	err = p.Ready(ctx, func() error {
		_, err := c.Run(ctx, "version")
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Argv is ctr ARGS in the namespace of Kubernetes, for this containerd.
func (c *Containerd) Argv(args ...string) []string {
	return append([]string{"ctr", "--address", c.socket, "--namespace", "k8s.io"}, args...)
}

// Run runs ctr ARGS in the namespace of Kubernetes.
func (c *Containerd) Run(ctx context.Context, args ...string) (string, error) {
	return Run(ctx, c.Argv(args...)...)
}

// Import is tar -C dir -c . | ctr images import -, as a user types it.
func (c *Containerd) Import(ctx context.Context, dir string) (string, error) {
	return Pipe(ctx, []string{"tar", "-C", dir, "-c", "."}, c.Argv("images", "import", "-"))
}
