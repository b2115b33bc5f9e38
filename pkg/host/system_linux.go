package host

import (
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// attributes returns the attributes of chattr(1).
func attributes(f *os.File) (int, error) { return unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS) }

// parseMount parses a line of proc(5)'s mountinfo.
func parseMount(line string) (Mount, bool) {
	list, err := mountinfo.GetMountsFromReader(strings.NewReader(line), nil)
	if err != nil || len(list) != 1 {
		return Mount{}, false
	}
	m := list[0]
	options := slices.Concat(strings.Split(m.Options, ","), strings.Split(m.VFSOptions, ","))
	return Mount{At: m.Mountpoint, Type: m.FSType, Options: options}, true
}
