package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir returns when the names in dir are on the disk: what was created,
// renamed or removed there stays so. File systems that cannot do it for a
// directory (EINVAL) do it when they see fit, which is not an error.
func SyncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return syncOpen(d)
}

// SyncRoot is SyncDir for a directory that is open.
func SyncRoot(root *os.Root) error { return rootDisk{root}.syncNames() }

func syncOpen(d *os.File) error {
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !noDirectorySync {
		return err
	}
	return nil
}

// Rename gives from, a directory or a file whose content is on the disk, the name
// to, and returns when that is on the disk.
func Rename(from, to string) error { return rename(from, to, SyncDir) }

func rename(from, to string, syncDir func(dir string) error) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	old, dir := filepath.Dir(from), filepath.Dir(to)
	if err := syncDir(dir); err != nil || old == dir {
		return err
	}
	return syncDir(old)
}

// MkdirAll makes dir and what is missing above it, and returns when their names
// are on the disk. A file in a directory whose name is lost is lost with it.
func MkdirAll(dir string, mode fs.FileMode) error { return mkdirAll(dir, mode, SyncDir) }

func mkdirAll(dir string, mode fs.FileMode, syncDir func(dir string) error) error {
	dir = filepath.Clean(dir)
	switch info, err := os.Stat(dir); {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case err == nil:
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := mkdirAll(above, mode, syncDir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode); err != nil {
		// Somebody else may have made it meanwhile.
		if info, serr := os.Stat(dir); serr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	return syncDir(above)
}

// Symlink makes path a symbolic link to target, in place of what has that name.
func Symlink(target, path string) error {
	if err := Sweep(filepath.Dir(path)); err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	return symlinkOn(rootDisk{root}, target, filepath.Base(path))
}

// symlinkOn takes d over. A link cannot be locked, so a sweep of another run may
// take it for abandoned: it is made again then.
func symlinkOn(d disk, target, name string) (err error) {
	defer func() { err = errors.Join(err, d.close()) }()
	const tries = 100
	for range tries {
		temp := tempName(name)
		if err = d.symlink(target, temp); errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = d.rename(temp, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return errors.Join(err, d.remove(temp))
		}
		return d.syncNames()
	}
	return err
}
