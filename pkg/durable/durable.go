// Package durable brings names to the disk, so that a power cut finds either
// the old state or the new one.
package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncDir returns when the names in dir are on the disk: what was created,
// renamed or removed there stays so. File systems that cannot do it for a
// directory (EINVAL) do it when they see fit, and that is no error.
func SyncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
