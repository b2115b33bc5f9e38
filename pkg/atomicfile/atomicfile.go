// Package atomicfile brings files to the disk, so that a power cut finds either
// the old state or the new one. Every file that this program gives its final
// name passes through here: WriteFile for content that is in memory, File for a
// stream. It is written under a temporary name in the same directory, synced,
// renamed, and the directory synced. What a killed run left under a temporary
// name is removed by the next one that writes there.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file on its way to its name. It must end with Commit, CommitNew or
// Abort; Publish does half of Commit for files that appear together.
type File struct {
	*os.File
	d      disk
	name   string // that it is to have
	temp   string // that it has, "" once it was renamed or removed
	synced bool
	closed bool
}

// Create begins to write the file at path, which appears with Commit. Names in
// the directory that a killed run left are removed first.
func Create(path string, mode fs.FileMode) (*File, error) {
	if err := Sweep(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return CreateNext(path, mode)
}

// CreateNext is Create behind an earlier one of the same run: nothing is
// removed.
func CreateNext(path string, mode fs.FileMode) (*File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return create(root, filepath.Base(path), path, mode)
}

// CreateIn is Create for a file right in root, which stays the caller's. The
// directory is the one that root has open, whatever its name refers to later.
func CreateIn(root *os.Root, name string, mode fs.FileMode) (*File, error) {
	own, err := root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	if err := sweep(rootDisk{own}); err != nil {
		return nil, errors.Join(err, own.Close())
	}
	return create(own, name, name, mode)
}

// create takes root over. An error speaks of path: nobody knows the temporary
// name.
func create(root *os.Root, name, path string, mode fs.FileMode) (*File, error) {
	f, err := createOn(rootDisk{root}, name, mode)
	if err == nil {
		return f, nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = &fs.PathError{Op: "open", Path: path, Err: p.Err}
	}
	return nil, errors.Join(err, root.Close())
}

// createOn makes the temporary file, locked: what is not locked belongs to
// nobody. It takes d over when there is no error.
func createOn(d disk, name string, mode fs.FileMode) (*File, error) {
	const tries = 100
	for range tries {
		temp := tempName(name)
		f, err := d.create(temp, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ours, err := claim(d, f, temp)
		if err == nil && ours {
			err = setMode(f, mode)
		}
		switch {
		case err != nil:
			return nil, errors.Join(err, f.Close(), d.remove(temp))
		case ours:
			return &File{File: f, d: d, name: name, temp: temp}, nil
		}
		// Somebody swept it between the creation and the lock.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("cannot find a temporary name for %s: %w", name, fs.ErrExist)
}

// setMode gives f the mode that the umask may have cut. A file system that has
// no modes, as some on sticks, may say so: no mode of its own is wider than it was
// asked for when the file was made.
func setMode(f *os.File, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == mode.Perm() {
		return err
	}
	if err := f.Chmod(mode); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// Sync brings the content to the disk.
func (f *File) Sync() error {
	if err := f.d.syncFile(f.File); err != nil {
		return fmt.Errorf("cannot write %s to disk: %w", f.name, err)
	}
	f.synced = true
	return nil
}

// Write appends b.
func (f *File) Write(b []byte) (int, error) {
	f.synced = false
	return f.File.Write(b)
}

// ReadFrom appends all of r.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	f.synced = false
	return f.File.ReadFrom(r)
}

// Publish syncs the content, unless that was done, and gives the file the name
// in its directory, "" for the one that Create was told. It replaces what has
// that name, and stays open. The name itself is on the disk after SyncDir.
func (f *File) Publish(name string) error {
	if name == "" {
		name = f.name
	}
	if !f.synced {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.d.rename(f.temp, name); err != nil {
		return err
	}
	f.temp = ""
	return nil
}

// Commit gives the file its name and closes it. When it returns without an
// error, content and name are on the disk; else what had the name before is
// there still, unless only that it is on the disk could not be confirmed.
func (f *File) Commit() error { return f.commit(nil) }

// CommitNew is Commit for a name that must not be taken: the error is
// fs.ErrExist where it is.
func (f *File) CommitNew() error {
	return f.commit(func() error { return f.d.renameNew(f.temp, f.name) })
}

func (f *File) commit(rename func() error) (err error) {
	defer func() { err = errors.Join(err, f.Abort()) }()
	if rename == nil {
		err = f.Publish("")
	} else if err = f.Sync(); err == nil {
		if err = rename(); err == nil {
			f.temp = ""
		}
	}
	if err != nil {
		return err
	}
	return f.d.syncNames()
}

// Abort closes the file and removes it where it has no name yet. After Commit
// or Abort it does nothing.
func (f *File) Abort() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if f.temp != "" {
		err = f.d.remove(f.temp)
	}
	return errors.Join(err, f.File.Close(), f.d.close())
}

// WriteFile gives the file at path the content.
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	return f.fill(content, f.Commit)
}

// WriteNew is WriteFile for a file that must not be there: the error is
// fs.ErrExist where it is.
func WriteNew(path string, content []byte, mode fs.FileMode) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	return f.fill(content, f.CommitNew)
}

func (f *File) fill(content []byte, commit func() error) error {
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Abort())
	}
	return commit()
}
