package cri

import (
	"context"
	"os"
	"path"
	"strings"

	"kubecrate/pkg/host"
)

// noTypes finds the file system on which dir lies or will lie, and says whether
// it is an XFS made with ftype=0, as CentOS before 7.4 made them: overlay needs
// the type of a file in its directory entry.
func noTypes(ctx context.Context, h *host.Host, dir string) (mount string, bad bool, err error) {
	// /var/lib/docker is often a link to a larger disk.
	if link, err := os.Readlink(h.Path(dir)); err == nil {
		if !path.IsAbs(link) {
			link = path.Join(path.Dir(dir), link)
		}
		dir = link
	}
	text, err := h.Text("/proc/self/mountinfo")
	if err != nil {
		return "", false, err
	}
	mount, kind := mountOf(text, dir)
	if kind != "xfs" {
		return mount, false, nil
	}
	out, err := h.Query(ctx, "xfs_info", mount)
	switch {
	case err == nil:
		return mount, strings.Contains(string(out), "ftype=0"), nil
	case host.NotFound(err) || host.ExitCode(err) > 0:
		return mount, false, nil // it cannot be told; the runtime will tell
	}
	return mount, false, err
}

// mountOf is the mount on which dir lies, and the type of its file system, from
// a mountinfo (proc(5)); of two mounts on one place, the later covers the other.
func mountOf(mountinfo, dir string) (mount, kind string) {
	const at = 4 // the field of the place
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) <= at || len(g) == 0 {
			continue
		}
		place := unescape(f[at])
		if inside(dir, place) && len(place) >= len(mount) {
			mount, kind = place, g[0]
		}
	}
	return mount, kind
}

func inside(dir, place string) bool {
	return dir == place || strings.HasPrefix(dir, strings.TrimSuffix(place, "/")+"/")
}

// unescape reads the octal escapes of the kernel's lists.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
