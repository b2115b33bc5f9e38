package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Room is where isolated hosts stand: a network of their own with no way out,
// and one USB stick.
type Room struct {
	Stick string // the folder that every host has at /mnt/usb

	docker *Docker
	jobs   string // the folder of jobs' output, on every host /var/log/lab

	booted, started atomic.Int32 // hosts and jobs
}

// Machine is a host: a privileged container in which systemd is the first
// process, with files of its own, among them all of /var/lib on a real file
// system. It passes for CentOS 7.9 and has rpm, dnf and yum, and a firewall that
// keeps the ports of Kubernetes shut, but no docker.
type Machine struct {
	Name    string
	Address string // IPv4

	room *Room
}

// StartHosts opens a room and boots hosts in it, host1 to host3 if no names are
// given. baseRPM is the path of the package, installed on each, that provides
// what Debian has in place of CentOS's own packages. It needs root.
func (l *Lab) StartHosts(ctx context.Context, baseRPM string, names ...string) (*Room, []*Machine, error) {
	if len(names) == 0 {
		names = []string{"host1", "host2", "host3"}
	}
	r, err := l.OpenRoom(ctx, baseRPM)
	if err != nil {
		return nil, nil, err
	}
	machines, err := r.Boot(ctx, names...)
	return r, machines, err
}

// OpenRoom prepares the network, the stick and what hosts are made of. There is
// one room in a lab.
func (l *Lab) OpenRoom(ctx context.Context, baseRPM string) (*Room, error) {
	r := &Room{Stick: filepath.Join(l.Dir, "stick"), jobs: filepath.Join(l.Dir, "jobs")}
	for _, dir := range []string{r.Stick, r.jobs} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make the room: %w", err)
		}
	}
	if err := l.keepKernel(); err != nil {
		return nil, err
	}
	var err error
	if r.docker, err = l.startHostDocker(ctx); err != nil {
		return nil, err
	}
	return r, l.hostImage(ctx, r.docker, baseRPM)
}

// Boot starts new hosts and waits until they are up.
func (r *Room) Boot(ctx context.Context, names ...string) ([]*Machine, error) {
	machines := make([]*Machine, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		number := roomFirst - 1 + r.booted.Add(1)
		machines[i] = &Machine{Name: name, Address: fmt.Sprintf("%s%d", roomPrefix, number), room: r}
		g.Go(func() error { return machines[i].boot(ctx, fmt.Sprintf("02:00:c0:a8:4d:%02x", number)) })
	}
	return machines, g.Wait()
}

func (m *Machine) boot(ctx context.Context, mac string) error {
	_, err := m.room.docker.Run(ctx, "run", "--detach", "--tty", "--privileged", "--name", m.Name, "--hostname", m.Name,
		"--network", roomNet, "--ip", m.Address, "--mac-address", mac, "--cgroupns", "private",
		"--tmpfs", "/run:mode=755", "--tmpfs", "/tmp:exec,mode=1777", "--volume", "/var/lib",
		"--volume", m.room.Stick+":/mnt/usb", "--volume", m.room.jobs+":/var/log/lab", "lab-host")
	if err != nil {
		return fmt.Errorf("cannot boot %s: %w", m.Name, err)
	}
	return m.up(ctx)
}

// up waits until systemd has started everything.
func (m *Machine) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		// Before the bus is there, systemctl fails at once.
		out, _, err := m.Run(ctx, "systemctl", "is-system-running", "--wait")
		switch state := strings.TrimSpace(out); {
		case err != nil:
			return fmt.Errorf("cannot boot %s: %w\n%s", m.Name, err, m.console(ctx))
		case state == "running":
			return nil
		case state == "degraded":
			failed, _, err := m.Run(ctx, "systemctl", "list-units", "--failed", "--no-pager")
			return errors.Join(fmt.Errorf("%s is up, but in part:\n%s", m.Name, failed), err)
		case state == "maintenance":
			return fmt.Errorf("%s is in emergency mode:\n%s", m.Name, m.Logs(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot boot %s: %w: %s\n%s", m.Name, ctx.Err(), out, m.console(context.WithoutCancel(ctx)))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// console is what the host printed while it booted.
func (m *Machine) console(ctx context.Context) string {
	out, err := m.room.docker.Run(ctx, "logs", "--tail", "50", m.Name)
	if err != nil {
		return err.Error()
	}
	return out
}

// Reboot shuts the host down and boots it again.
func (m *Machine) Reboot(ctx context.Context) error {
	if _, err := m.room.docker.Run(ctx, "restart", "--time", "60", m.Name); err != nil {
		return fmt.Errorf("cannot reboot %s: %w", m.Name, err)
	}
	return m.up(ctx)
}

// Crash ends every process of the host at once, as a power cut does, and boots
// it again. What was written is not lost: the kernel goes on.
func (m *Machine) Crash(ctx context.Context) error {
	if err := m.PowerOff(ctx); err != nil {
		return err
	}
	return m.PowerOn(ctx)
}

// PowerOff ends every process of the host at once; PowerOn boots it again.
func (m *Machine) PowerOff(ctx context.Context) error {
	if _, err := m.room.docker.Run(ctx, "kill", m.Name); err != nil {
		return fmt.Errorf("cannot end %s: %w", m.Name, err)
	}
	return nil
}

// PowerOn boots a host that PowerOff ended.
func (m *Machine) PowerOn(ctx context.Context) error {
	if _, err := m.room.docker.Run(ctx, "start", m.Name); err != nil {
		return fmt.Errorf("cannot boot %s: %w", m.Name, err)
	}
	return m.up(ctx)
}

// Remove takes the host, with all it holds, out of the room.
func (m *Machine) Remove(ctx context.Context) error {
	if _, err := m.room.docker.Run(ctx, "rm", "--force", "--volumes", m.Name); err != nil {
		return fmt.Errorf("cannot remove %s: %w", m.Name, err)
	}
	return nil
}
