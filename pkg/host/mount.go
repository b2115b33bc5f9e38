package host

import (
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Mount is a file system that is mounted.
type Mount struct {
	At      string // where
	Type    string
	Options []string // of the mount, and of the file system itself
}

// Has says that the mount has an option.
func (m Mount) Has(option string) bool { return slices.Contains(m.Options, option) }

// Mounts lists what is mounted, in the order in which it was. A line of the
// kernel's that cannot be read is passed over, and where there is no list nothing
// is mounted.
func (h *Host) Mounts() ([]Mount, error) {
	text, err := h.Text("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []Mount
	for line := range strings.Lines(text) {
		infos, err := mountinfo.GetMountsFromReader(strings.NewReader(line), nil)
		if err != nil {
			continue
		}
		for _, m := range infos {
			options := slices.Concat(strings.Split(m.Options, ","), strings.Split(m.VFSOptions, ","))
			list = append(list, Mount{At: m.Mountpoint, Type: m.FSType, Options: options})
		}
	}
	return list, nil
}

// MountOf is the mount that path, in which no link is followed, lies on or would lie
// on: the one nearest above, and of several at one place the last, which hides the
// others. Where it is not known it is the zero Mount.
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

// within says whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
