package facts

import (
	"context"
	"slices"
	"strings"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/host"
)

// paths are where Kubernetes writes: images, volumes and logs, etcd's data,
// programs. A path that does not exist is judged by what it would lie on.
func paths() []string {
	list := append(cri.DataDirs(), "/", "/var/lib/etcd", "/var/lib/kubecrate", "/var/lib/kubelet")
	slices.Sort(list)
	return list
}

func (f *Facts) readDisks(_ context.Context, h *host.Host) error {
	for _, path := range paths() {
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
	mounts, err := text(h, "/proc/mounts")
	if err != nil {
		return d, err
	}
	m := mountOf(mounts, at)
	d.Mount, d.Type = m.at, m.kind
	d.ReadOnly, d.NoExec = slices.Contains(m.options, "ro"), slices.Contains(m.options, "noexec")
	return d, nil
}

type mount struct {
	at, kind string
	options  []string
}

// mountOf is the mount in /proc/mounts that path lies on: the one nearest
// above, and of several at one place the last, which hides the others.
func mountOf(text, path string) mount {
	var best mount
	for line := range strings.Lines(text) {
		const fields = 4
		f := strings.Fields(line)
		if len(f) < fields {
			continue
		}
		at := unescape(f[1])
		if within(path, at) && len(at) >= len(best.at) {
			best = mount{at: at, kind: f[2], options: strings.Split(f[3], ",")}
		}
	}
	return best
}

// within says whether path is dir or below it.
func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// unescape undoes the octal escapes of /proc/mounts, proc(5).
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
