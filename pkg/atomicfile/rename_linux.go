package atomicfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// renameExclusive renames within dir unless to is there (renameat2(2)); the
// error is errors.ErrUnsupported where the kernel or the file system cannot.
func renameExclusive(dir *os.File, from, to string) error {
	fd := int(dir.Fd())
	err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return errors.ErrUnsupported
	}
	return &fs.PathError{Op: "rename", Path: to, Err: err}
}
