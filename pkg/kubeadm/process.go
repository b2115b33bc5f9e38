package kubeadm

import (
	"context"
	"fmt"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// process is a running kubeadm: an install that was killed leaves it behind, and it
// must not be disturbed.
type process struct {
	pid  int
	verb string // init, join or reset
}

// working finds a kubeadm of root's that changes this host; pid is 0 without one.
func working(h *host.Host) (process, error) {
	list, err := h.Processes()
	if err != nil {
		return process{}, err
	}
	for _, p := range list {
		const least = 2
		if !p.Root || p.Program != "kubeadm" || len(p.Args) < least {
			continue
		}
		switch verb := p.Args[1]; verb {
		case "init", "join", "reset":
			return process{p.PID, verb}, nil
		}
	}
	return process{}, nil
}

// waitWorking waits until no kubeadm of an earlier run is running.
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
			o.note(stage, "waiting for kubeadm %s of an earlier run (process %d)", p.verb, p.pid)
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
