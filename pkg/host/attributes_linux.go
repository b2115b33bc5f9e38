package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// attributes returns the attributes of chattr(1).
func attributes(f *os.File) (int, error) { return unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS) }
