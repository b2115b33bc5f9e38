package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/step"
)

// Ready is the step that waits until this host's node is Ready. A node asks with
// the kubelet's own credentials, which may read that one node.
func Ready(o Options) step.Step { return readyStep{o} }

type readyStep struct{ o Options }

func (readyStep) Name() string { return "ready" }

// kubeconfig is the one with which this host asks the API server.
func (readyStep) kubeconfig(h *host.Host) (string, error) {
	admin, err := h.Exists(AdminConf)
	if err != nil || !admin {
		return kubeletConf, err
	}
	return AdminConf, nil
}

// node is the state of this host's node: why it is not Ready, "" if it is; its
// strays; and whether it still waits for the cluster's network.
type node struct {
	why     string
	list    []stray
	waiting bool
}

func (s readyStep) look(ctx context.Context, h *host.Host) (n node, err error) {
	kubeconfig, err := s.kubeconfig(h)
	if err != nil {
		return n, err
	}
	if n.why, err = s.notReady(ctx, h, kubeconfig); err != nil || n.why != "" {
		return n, err
	}
	n.list, n.waiting, err = s.strays(ctx, h, kubeconfig)
	switch {
	case ctx.Err() != nil:
		return n, context.Cause(ctx)
	case err != nil:
		n.why = err.Error()
	case n.waiting:
		n.why = "the kubelet uses another network's configuration in " + cniDir + " until the cluster's is there"
	default:
		n.why = sayStrays(n.list)
	}
	return n, nil
}

func (s readyStep) notReady(ctx context.Context, h *host.Host, kubeconfig string) (string, error) {
	var n apiNode
	switch err := through(kubeconfig).Object(ctx, h, nodePath(s.o.Node), &n); {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case host.NotFound(err):
		return "", err
	case errors.Is(err, kubectl.ErrAbsent):
		return "the API server does not have it yet", nil
	case err != nil:
		return err.Error(), nil
	}
	return n.ready(), nil
}

func (s readyStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	// Before the host has joined there is no API server to ask.
	if here, err := h.Exists(kubeletConf); err != nil || !here {
		st.Todo("wait for node %s to become Ready", s.o.Node)
		return st, err
	}
	n, err := s.look(ctx, h)
	if n.why != "" {
		st.Todo("wait for node %s to become Ready: %s", s.o.Node, n.why)
	}
	return st, err
}

func (s readyStep) Apply(ctx context.Context, h *host.Host) error {
	limits := s.o.Limits.withDefaults()
	begun, said, early := time.Now(), "", false
	var restarted time.Time
	for {
		n, err := s.look(ctx, h)
		if err != nil {
			return err
		}
		again := addressed(n.list)
		if early {
			again = n.list // pods that were started before now have a wrong address
		}
		if !n.waiting && len(again) > 0 {
			if err := s.restart(ctx, h, again); err != nil {
				return err
			}
			restarted = time.Now()
		}
		// The kubelet reads a new configuration within seconds, dockershim every five:
		// pods that were restarted before that have the other network's address again.
		if n.why == "" && len(n.list) > 0 && time.Since(restarted) < limits.Restart {
			n.why = "restarted pods have no address yet"
		}
		if n.why == "" {
			return nil
		}
		why := n.why
		early = n.waiting
		waited := time.Since(begun)
		if waited > limits.Ready {
			return hint.With(fmt.Errorf("node %s did not become Ready within %s: %s", s.o.Node, limits.Ready, why),
				"journalctl -u kubelet -n 50; on a master: kubectl -n kube-system get pods -o wide")
		}
		if why != said {
			said = why
			s.o.note("ready", "waiting for node %s, %s of at most %s: %s", s.o.Node, waited.Round(time.Second), limits.Ready, why)
		}
		if err := sleep(ctx, limits.Poll); err != nil {
			return err
		}
	}
}
