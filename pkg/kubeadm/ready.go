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

// kubeconfig is the one that this host asks with.
func (readyStep) kubeconfig(h *host.Host) (string, error) {
	admin, err := h.Exists(AdminConf)
	if err != nil || !admin {
		return kubeletConf, err
	}
	return AdminConf, nil
}

// node is how it stands with this host's node: why it is not Ready, "" where it
// is; the strays on it; and whether the cluster's network is still waited for.
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
		return "the API server does not know it yet", nil
	case err != nil:
		return err.Error(), nil
	}
	return n.ready(), nil
}

func (s readyStep) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	// Before anything joined there is nobody to ask.
	if here, err := h.Exists(kubeletConf); err != nil || !here {
		st.Todo("node %s becomes Ready", s.o.Node)
		return st, err
	}
	n, err := s.look(ctx, h)
	if n.why != "" {
		st.Todo("node %s becomes Ready: %s", s.o.Node, n.why)
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
			again = n.list // what began before this moment has no right address
		}
		if !n.waiting && len(again) > 0 {
			if err := s.restart(ctx, h, again); err != nil {
				return err
			}
			restarted = time.Now()
		}
		// The kubelet takes up a new configuration within seconds, dockershim each five:
		// what was started again before that has the other network's address once more.
		if n.why == "" && len(n.list) > 0 && time.Since(restarted) < limits.Restart {
			n.why = "pods that were started again have no address yet"
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
