package kubeadm

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// process is a kubeadm that is at work: an install that was killed leaves it
// behind, and what it does is not to be disturbed.
type process struct {
	pid  int
	verb string // init, join or reset
}

// working finds a kubeadm that changes this host; pid is 0 without one.
func working(h *host.Host) (process, error) {
	names, err := h.ReadDir("/proc")
	if err != nil {
		return process{}, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		line, err := h.ReadFile("/proc/" + name + "/cmdline")
		if err != nil {
			continue // it ended
		}
		argv := strings.Split(string(line), "\x00")
		const least = 2
		if len(argv) < least || path.Base(argv[0]) != "kubeadm" {
			continue
		}
		switch argv[1] {
		case "init", "join", "reset":
			return process{pid, argv[1]}, nil
		}
	}
	return process{}, nil
}

// waitWorking waits until no kubeadm of an earlier run is at work.
func (o *Options) waitWorking(ctx context.Context, h *host.Host, stage string) error {
	limits := o.Limits.withDefaults()
	until := time.Now().Add(limits.Process)
	said := 0
	for {
		p, err := working(h)
		if err != nil || p.pid == 0 {
			return err
		}
		if said != p.pid {
			o.note(stage, "kubeadm %s of an earlier run is still at work (process %d): waiting for it", p.verb, p.pid)
			said = p.pid
		}
		if time.Now().After(until) {
			return hint.With(fmt.Errorf("kubeadm %s of an earlier run did not end within %s", p.verb, limits.Process), "kill %d, then the same command again", p.pid)
		}
		if err := sleep(ctx, limits.Poll); err != nil {
			return err
		}
	}
}
