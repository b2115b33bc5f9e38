package hosttest

import (
	"fmt"
	"strings"
)

// MountInfo is /proc/self/mountinfo for what a /proc/mounts would list, which is
// easier to read: the device, the place, the type and the options, a line each.
func MountInfo(mounts string) string {
	var b strings.Builder
	for line := range strings.Lines(mounts) {
		const least = 4
		if f := strings.Fields(line); len(f) >= least {
			fmt.Fprintf(&b, "1 1 8:1 / %s %s - %s %s rw\n", f[1], f[3], f[2], f[0])
		} else {
			b.WriteString(line)
		}
	}
	return b.String()
}
