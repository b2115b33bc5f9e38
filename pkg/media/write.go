package media

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Modes of a directory that is made, and of one that is made for somebody; FAT has
// no modes.
const (
	dirMode        = 0o755
	privateDirMode = 0o750
)

// Write gives the file name the content, and makes the directories that are
// missing. When it returns the file is on the disk, whole, or as it was before.
// Whatever else has that name is replaced, but for a directory.
func (d Dir) Write(name string, content []byte, mode fs.FileMode) error {
	return d.write(name, content, mode, nil)
}

// Owner is whom a file is given to.
type Owner struct{ UID, GID int }

// WriteFor is Write for a place that belongs to o: what it makes, the directories
// too, is given to o, and nothing else is.
func (d Dir) WriteFor(o Owner, name string, content []byte, mode fs.FileMode) error {
	return d.write(name, content, mode, &o)
}

func (d Dir) write(name string, content []byte, mode fs.FileMode, o *Owner) (err error) {
	r, base, err := d.parent(name, &maker{o})
	if err != nil {
		return err
	}
	defer func() { err = first(err, r.Close()) }()
	temp := "." + base + ".new"
	err = create(r, temp, content, mode, o)
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
func create(r *os.Root, name string, content []byte, mode fs.FileMode, o *Owner) (err error) {
	if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := r.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = first(err, f.Close()) }()
	if o != nil {
		if err := f.Chown(o.UID, o.GID); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes name, whatever it is but for a directory with something in it,
// and never what a link leads to. One that is missing gives fs.ErrNotExist.
func (d Dir) Remove(name string) (err error) {
	r, base, err := d.parent(name, nil)
	if err != nil {
		return err
	}
	defer func() { err = first(err, r.Close()) }()
	if err := r.Remove(base); err != nil {
		return d.named(name, err)
	}
	return d.sync(r, name)
}

// RemoveAll removes name with all that is below it, and nothing that a link leads
// to. What is missing is no error.
func (d Dir) RemoveAll(name string) (err error) {
	r, base, err := d.parent(name, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = first(err, r.Close()) }()
	if err := r.RemoveAll(base); err != nil {
		return d.named(name, err)
	}
	return d.sync(r, name)
}

// maker makes the directories that are missing, and gives them to owner.
type maker struct{ owner *Owner }

func (m *maker) mkdir(r *os.Root, name string) error {
	mode := fs.FileMode(dirMode)
	if m.owner != nil {
		mode = privateDirMode
	}
	if err := r.Mkdir(name, mode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if m.owner != nil {
		if err := r.Lchown(name, m.owner.UID, m.owner.GID); err != nil {
			return err
		}
	}
	return sync(r)
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
