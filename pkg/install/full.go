package install

import (
	"context"
	"errors"

	"kubecrate/pkg/host"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// full names a disk that is full as the cause of an error: each program has words
// of its own for it, such as a damaged database. What preflight found has named
// it, and what the operator stopped has another cause.
func full(h *host.Host, err error) error {
	var checks *preflight.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &checks) {
		return err
	}
	dirs := []string{"/etc", "/usr"}
	if s, ok := h.Software.(software.Source); ok {
		dirs = append(dirs, s.About().Dirs...)
	}
	return h.Full(err, append(dirs, step.Dir, "/var/lib/docker", "/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet", "/var/log", "/run")...)
}
