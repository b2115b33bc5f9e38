package media

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// dirMode is that of a directory that is made; FAT has no modes.
const dirMode = 0o755

// Write gives the file name the content, and makes the directories that are
// missing. When it returns the file is on the disk, whole, or as it was before.
// Whatever else has that name is replaced, but for a directory.
func (d Dir) Write(name string, content []byte, mode fs.FileMode) (err error) {
	r, base, err := d.parent(name, true)
	if err != nil {
		return err
	}
	defer func() { err = first(err, r.Close()) }()
	temp := "." + base + ".new"
	err = create(r, temp, content, mode)
	if err == nil {
		err = r.Rename(temp, base)
	}
	if err != nil {
		if gone := r.Remove(temp); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return d.named(name, plain(err))
	}
	return d.sync(r, name)
}

// create makes a file that is on the disk when it returns. What has its name is
// removed before: it may be a link that somebody laid there.
func create(r *os.Root, name string, content []byte, mode fs.FileMode) (err error) {
	if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = first(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes name, whatever it is but for a directory with something in it,
// and never what a link leads to. One that is missing gives fs.ErrNotExist.
func (d Dir) Remove(name string) (err error) {
	r, base, err := d.parent(name, false)
	if err != nil {
		return err
	}
	defer func() { err = first(err, r.Close()) }()
	if err := r.Remove(base); err != nil {
		return d.named(name, err)
	}
	return d.sync(r, name)
}

func (d Dir) sync(r *os.Root, name string) error {
	if err := sync(r); err != nil {
		return d.named(name, err)
	}
	return nil
}

// sync brings the names in r to the disk. File systems that cannot do it for a
// directory (EINVAL) do it when they see fit, and that is no error.
func sync(r *os.Root) (err error) {
	f, err := r.Open(".")
	if err != nil {
		return err
	}
	defer func() { err = first(err, f.Close()) }()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// plain takes a rename's two names off its error.
func plain(err error) error {
	var e *os.LinkError
	if errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: e.New, Err: e.Err}
	}
	return err
}
