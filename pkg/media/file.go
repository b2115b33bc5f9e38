package media

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"kubecrate/pkg/hint"
)

// File is a file and how it may be opened.
type File struct {
	dir   Dir
	name  string
	named bool
}

// File is the file name in d, which must not be a link.
func (d Dir) File(name string) File { return File{dir: d, name: name} }

// Named is the file that the operator named by path. It may be a link to a
// regular file, since it was chosen; for the rest it is treated as any other.
func Named(path string) File {
	return File{dir: At(filepath.Dir(path)), name: filepath.Base(path), named: true}
}

// Path is what the file is called.
func (f File) Path() string {
	if f.name == "" {
		return ""
	}
	return f.dir.Join(f.name)
}

// Open opens the file for reading.
func (f File) Open() (*os.File, error) {
	if !f.named {
		return f.dir.Open(f.name)
	}
	file, err := openNamed(f.Path())
	if err != nil {
		return nil, chosen(named(f.Path(), err), f.Path())
	}
	return file, nil
}

// chosen gives an error about a file that the operator named its own hint: what
// is there may be a disk or a directory of the system, and is not to be moved.
func chosen(err error, path string) error {
	var e *Error
	if errors.As(err, &e) {
		return hint.With(e, "see %s; pass a file instead", hint.Command("ls", "-ld", path))
	}
	return err
}

func openNamed(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(now, info) {
		return nil, errors.Join(ErrNotRegular, err, f.Close())
	}
	return f, nil
}

// Read reads the file, which may have at most limit bytes.
func (f File) Read(limit int64) ([]byte, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	data, err := readAll(file, f.Path(), limit)
	if f.named {
		err = chosen(err, f.Path())
	}
	return data, err
}

// Stat describes the file.
func (f File) Stat() (fs.FileInfo, error) {
	file, err := f.Open()
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	return info, first(err, file.Close())
}
