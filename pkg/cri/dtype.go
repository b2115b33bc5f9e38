package cri

import (
	"context"
	"strings"

	"kubecrate/pkg/host"
)

// noTypes returns the mount of the file system that has, or will have, dir, and
// whether it is an XFS created with ftype=0, as CentOS before 7.4 did: overlay needs
// file types in directory entries.
func noTypes(ctx context.Context, h *host.Host, dir string) (mount string, bad bool, err error) {
	// /var/lib/docker is often a link to a larger disk.
	at, err := h.Existing(dir)
	if err != nil {
		return "", false, err
	}
	m, err := h.MountOf(at)
	if err != nil || m.Type != "xfs" {
		return m.At, false, err
	}
	mount = m.At
	out, err := h.Query(ctx, "xfs_info", mount)
	switch {
	case err == nil:
		return mount, strings.Contains(string(out), "ftype=0"), nil
	case host.NotFound(err) || host.ExitCode(err) > 0:
		return mount, false, nil // unknown; the runtime will report it
	}
	return mount, false, err
}
