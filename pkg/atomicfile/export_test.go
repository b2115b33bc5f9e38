package atomicfile

import (
	"io/fs"
	"os"
)

// Recorder is a directory that notes the order of what is done in it.
type Recorder struct {
	rootDisk
	Done []string
	Fail string // the operation that fails
}

func (r *Recorder) note(op string) error {
	r.Done = append(r.Done, op)
	if op == r.Fail {
		return fs.ErrInvalid
	}
	return nil
}

func (r *Recorder) create(name string, mode fs.FileMode) (*os.File, error) {
	if err := r.note("create"); err != nil {
		return nil, err
	}
	return r.rootDisk.create(name, mode)
}

func (r *Recorder) symlink(target, name string) error {
	if err := r.note("symlink"); err != nil {
		return err
	}
	return r.rootDisk.symlink(target, name)
}

func (r *Recorder) syncFile(f *os.File) error {
	if err := r.note("sync file"); err != nil {
		return err
	}
	return r.rootDisk.syncFile(f)
}

func (r *Recorder) rename(from, to string) error {
	if err := r.note("rename to " + to); err != nil {
		return err
	}
	return r.rootDisk.rename(from, to)
}

func (r *Recorder) renameNew(from, to string) error {
	if err := r.note("rename to new " + to); err != nil {
		return err
	}
	return r.rootDisk.renameNew(from, to)
}

func (r *Recorder) remove(name string) error {
	if err := r.note("remove"); err != nil {
		return err
	}
	return r.rootDisk.remove(name)
}

func (r *Recorder) syncNames() error {
	if err := r.note("sync names"); err != nil {
		return err
	}
	return r.rootDisk.syncNames()
}

// CreateRecorded is Create in dir, recorded.
func CreateRecorded(dir, name, fail string) (*Recorder, *File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	r := &Recorder{rootDisk: rootDisk{root}, Fail: fail}
	f, err := createOn(r, name, 0o644)
	return r, f, err
}

// SymlinkRecorded is Symlink in dir, recorded.
func SymlinkRecorded(dir, target, name, fail string) (*Recorder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &Recorder{rootDisk: rootDisk{root}, Fail: fail}
	return r, symlinkOn(r, target, name)
}

// RenameWith and MkdirAllWith are Rename and MkdirAll with another SyncDir.
var (
	RenameWith   = rename
	MkdirAllWith = mkdirAll
)

// TempName is a temporary name for a file.
func TempName(name string) string { return tempName(name) }
