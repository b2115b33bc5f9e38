package kubeadm

import (
	"context"
	"errors"

	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Kubelet is the step that lets the kubelet start at boot, and makes sure that the
// /etc/resolv.conf which it passes to pods exists: without that file it starts no
// pod. It is not started now: until kubeadm has configured it, it would only exit.
func Kubelet() step.Step { return kubelet{} }

type kubelet struct{}

const (
	resolvFile = "/etc/resolv.conf"
	resolvText = "# made by install: this network has no nameserver, but the kubelet wants this file\n"
)

func (kubelet) Name() string { return "kubelet" }

func (kubelet) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	u, err := h.Unit(ctx, kubeletUnit)
	if err != nil {
		return st, err
	}
	if !u.Known() {
		st.Todo("enable %s once kubelet is installed", kubeletUnit)
		return st, nil
	}
	if !u.Starts() {
		st.Todo("enable %s", kubeletUnit)
	}
	ok, err := h.Exists(resolvFile)
	if err != nil || ok {
		return st, err
	}
	now, err := h.FileState(resolvFile)
	switch {
	case err != nil:
	case now.Link != "":
		st.Todo("replace %s, a link to the missing %s, with a file without a nameserver", resolvFile, now.Link)
	default:
		st.File(resolvFile, "", resolvText)
	}
	return st, err
}

func (kubelet) Apply(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, kubeletUnit)
	if err != nil {
		return err
	}
	if !u.Known() {
		return software.Missing(h, errors.New("kubelet is not installed"), "kubelet", "kubeadm", "kubectl")
	}
	ok, err := h.Exists(resolvFile)
	if err != nil {
		return err
	}
	if !ok {
		// A link may lead to a file that the next boot does not have.
		if err := h.Remove(resolvFile); err != nil {
			return err
		}
		if err := h.WriteFile(resolvFile, []byte(resolvText), host.FileMode); err != nil {
			return err
		}
	}
	return h.EnableAtBoot(ctx, kubeletUnit)
}

// startKubelet starts the kubelet, which kubeadm has configured, if it does not run.
func startKubelet(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, kubeletUnit)
	if err != nil || u.Active {
		return err
	}
	return h.Change(ctx, host.Command("systemctl", "start", kubeletUnit), nil)
}
