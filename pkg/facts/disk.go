package facts

import (
	"context"
	"fmt"
	"slices"

	"kubecrate/pkg/host"
)

// paths are where Kubernetes writes: images, volumes and logs, etcd's data,
// programs. A path that does not exist is judged by what it would lie on.
func (f *Facts) paths() []string {
	list := append(f.runtimes.DataDirs(), "/", "/var/lib/etcd", "/var/lib/kubecrate", "/var/lib/kubelet")
	slices.Sort(list)
	return list
}

func (f *Facts) readDisks(_ context.Context, h *host.Host) error {
	for _, path := range f.paths() {
		d, err := DiskOf(h, path)
		if err != nil {
			return err
		}
		f.Disks = append(f.Disks, d)
	}
	return nil
}

// DiskOf looks at the file system that path lies on, or would lie on.
func DiskOf(h *host.Host, path string) (Disk, error) {
	d := Disk{Path: path}
	at, err := h.Existing(path)
	if err != nil {
		return d, err
	}
	if d.Size, d.Free, err = h.Space(at); err != nil {
		return d, err
	}
	m, err := h.MountOf(at)
	if err != nil {
		return d, fmt.Errorf("cannot read the mounts: %w", err)
	}
	d.Mount, d.Type, d.ReadOnly, d.NoExec = m.At, m.Type, m.Has("ro"), m.Has("noexec")
	return d, nil
}
