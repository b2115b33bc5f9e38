package atomicfile

import (
	"errors"
	"io/fs"
	"os"
)

// disk is a directory and what File does in it, in an order that a test can
// record. Names have no slash.
type disk interface {
	create(name string, mode fs.FileMode) (*os.File, error) // fails where it is there
	open(name string) (*os.File, error)
	symlink(target, name string) error // fails where name is there
	lstat(name string) (fs.FileInfo, error)
	list() ([]fs.DirEntry, error)
	syncFile(f *os.File) error
	rename(from, to string) error
	renameNew(from, to string) error // fails with fs.ErrExist where to is there
	remove(name string) error
	syncNames() error
	close() error
}

// rootDisk is a directory of the machine: no link in it is followed out of it.
type rootDisk struct{ root *os.Root }

func (d rootDisk) create(name string, mode fs.FileMode) (*os.File, error) {
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

func (d rootDisk) open(name string) (*os.File, error) {
	return d.root.OpenFile(name, os.O_RDWR|noFollow, 0)
}

func (d rootDisk) symlink(target, name string) error { return d.root.Symlink(target, name) }

func (d rootDisk) lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

func (d rootDisk) list() (entries []fs.DirEntry, err error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.ReadDir(-1)
}

func (rootDisk) syncFile(f *os.File) error { return f.Sync() }

func (d rootDisk) rename(from, to string) error { return d.root.Rename(from, to) }

func (d rootDisk) renameNew(from, to string) error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only its number was used
	err = renameExclusive(f, from, to)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// A file system without an exclusive rename: the look and the rename are two.
	if _, err := d.root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist})
	}
	return d.root.Rename(from, to)
}

func (d rootDisk) remove(name string) error {
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d rootDisk) syncNames() (err error) {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return syncOpen(f)
}

func (d rootDisk) close() error { return d.root.Close() }
