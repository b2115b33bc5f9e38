package media

import (
	"errors"
	"io/fs"
	"os"

	"kubecrate/pkg/atomicfile"
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
	// A release before this one that was killed left it: what it wrote had this
	// name until it was whole.
	if err := r.Remove("." + base + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.named(name, err)
	}
	if err := create(r, base, content, mode, o); err != nil {
		return d.named(name, plain(err))
	}
	return nil
}

// create makes a file in r that is on the disk, name and all, when it returns.
func create(r *os.Root, name string, content []byte, mode fs.FileMode, o *Owner) (err error) {
	f, err := atomicfile.CreateIn(r, name, mode)
	if err != nil {
		return err
	}
	defer func() { err = first(err, f.Abort()) }()
	if o != nil {
		if err := f.Chown(o.UID, o.GID); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Commit()
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
// to. A missing file is not an error.
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
	return atomicfile.SyncRoot(r)
}

func (d Dir) sync(r *os.Root, name string) error {
	if err := atomicfile.SyncRoot(r); err != nil {
		return d.named(name, err)
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
