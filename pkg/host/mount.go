package host

import (
	"slices"
	"strings"
)

// Mount is a mounted file system.
type Mount struct {
	At      string // mount point
	Type    string
	Options []string // of the mount, and of the file system itself
}

// Has reports whether the mount has an option.
func (m Mount) Has(option string) bool { return slices.Contains(m.Options, option) }

// Mounts lists the mounts in mount order. Unparsable lines of the kernel are skipped;
// without /proc the list is empty.
func (h *Host) Mounts() ([]Mount, error) {
	text, err := h.Text("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []Mount
	for line := range strings.Lines(text) {
		if m, ok := parseMount(line); ok {
			list = append(list, m)
		}
	}
	return list, nil
}

// MountOf returns the mount of path, which may not exist and in which links are not
// followed: the nearest one above, and of several on one mount point the last, which
// hides the others. If unknown, it returns the zero Mount.
func (h *Host) MountOf(path string) (Mount, error) {
	list, err := h.Mounts()
	var best Mount
	for _, m := range list {
		if within(path, m.At) && len(m.At) >= len(best.At) {
			best = m
		}
	}
	return best, err
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
