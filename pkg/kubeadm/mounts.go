package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// freeKubelet stops the kubelet and unmounts what it mounted for its pods.
// kubeadm reset continues where it cannot, and then removes the content: on a
// network volume that would be data shared with other hosts.
func freeKubelet(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, kubeletUnit)
	if err != nil {
		return err
	}
	if u.Active {
		if err := h.Change(ctx, host.Command("systemctl", "stop", kubeletUnit), nil); err != nil {
			return err
		}
	}
	list, err := mounted(h)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range slices.Backward(list) { // the last mount first
		err := h.Change(ctx, host.Command("umount", m), nil)
		if err != nil && ctx.Err() == nil {
			// A detached mount is not removed with the directory, even if it is in use.
			err = h.Change(ctx, host.Command("umount", "-l", m), nil)
		}
		errs = append(errs, err)
	}
	left, err := mounted(h)
	if err != nil || len(left) == 0 {
		return err
	}
	return hint.With(fmt.Errorf("%s is still mounted, and its content must not be removed: %w", left[0], errors.Join(errs...)), "umount %s, then the same command again", left[0])
}

// mounted lists what is mounted below the kubelet's directory, in the order in
// which it was.
func mounted(h *host.Host) ([]string, error) {
	mounts, err := h.Mounts()
	var list []string
	for _, m := range mounts {
		if strings.HasPrefix(m.At, kubeletDir+"/") {
			list = append(list, m.At)
		}
	}
	return list, err
}
