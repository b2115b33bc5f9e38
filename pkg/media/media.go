// Package media opens what lies on the stick: the directory of an archive, and
// everything in it. Whoever holds the stick may have put anything there, so a
// name on it is used only where it is a regular file of a size that was agreed
// on. Links are not followed, neither of files nor of directories; pipes and
// devices are refused without being opened, so nothing waits for them; and what
// is written lands in that directory or nowhere.
//
// A name is never a pattern: it may hold any character that a file may.
package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"kubecrate/pkg/hint"
)

// Why a name is not used; each is wrapped in an *Error. A name that is missing
// gives an *fs.PathError that wraps fs.ErrNotExist.
var (
	ErrLink       = errors.New("it is a symbolic link, and links are not followed")
	ErrNotRegular = errors.New("it is not a regular file")
	ErrNotDir     = errors.New("it is not a directory")
	ErrTooLarge   = errors.New("it is too large")
	ErrTooMany    = errors.New("it contains too many files")
	ErrGone       = errors.New("it is not the same directory as before")
	ErrName       = errors.New("it is not a valid name")
)

// Error is a name that is not used, and why.
type Error struct {
	Path string // as a person finds it
	Err  error
}

// Error names the file and says why it is not used.
func (e *Error) Error() string { return fmt.Sprintf("cannot use %s: %v", e.Path, e.Err) }

// Unwrap gives the reason, one of the errors of this package.
func (e *Error) Unwrap() error { return e.Err }

// Dir is a directory. It keeps nothing open, so that a stick can be unmounted
// between two calls. Names in it are slash-separated paths as io/fs has them.
type Dir struct {
	path string
	was  fs.FileInfo // what must be there, nil for anything
}

// At is the directory at path. Links in path itself are followed: it is what
// the operator, or the system, calls the directory.
func At(path string) Dir { return Dir{path: filepath.Clean(path)} }

// Path is what the directory is called.
func (d Dir) Path() string { return d.path }

// Join is the path of a name in d, for messages.
func (d Dir) Join(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Pin returns d bound to the directory that is there now: where another is found
// later, because the medium was exchanged or unmounted, every method gives ErrGone.
func (d Dir) Pin() (_ Dir, err error) {
	r, err := d.open()
	if err != nil {
		return d, err
	}
	defer func() { err = first(err, r.Close()) }()
	if d.was, err = r.Stat("."); err != nil {
		return d, d.named(".", err)
	}
	return d, nil
}

// open opens the directory itself.
func (d Dir) open() (*os.Root, error) {
	// With a slash behind it the name of a pipe is an error, and not waited for.
	r, err := os.OpenRoot(d.path + string(filepath.Separator))
	if err != nil {
		return nil, d.named(".", err)
	}
	if d.was == nil {
		return r, nil
	}
	now, err := r.Stat(".")
	if err == nil && !os.SameFile(now, d.was) {
		err = &Error{d.path, ErrGone}
	}
	if err != nil {
		return nil, first(err, r.Close())
	}
	return r, nil
}

// parent opens the directory that holds name, without following a link, and
// returns the last part of the name. With a maker it makes what is missing.
func (d Dir) parent(name string, with *maker) (r *os.Root, base string, err error) {
	if !fs.ValidPath(name) {
		return nil, "", &Error{d.Join(name), ErrName}
	}
	if r, err = d.open(); err != nil {
		return nil, "", err
	}
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		next, err := enter(r, part, with)
		if err = first(err, r.Close()); err != nil {
			return nil, "", d.named(path.Join(parts[:i+1]...), err)
		}
		r = next
	}
	return r, parts[len(parts)-1], nil
}

// enter opens the directory name in r, which must be one and no link to one.
func enter(r *os.Root, name string, with *maker) (*os.Root, error) {
	info, err := r.Lstat(name)
	if with != nil && errors.Is(err, fs.ErrNotExist) {
		if err := with.mkdir(r, name); err != nil {
			return nil, err
		}
		info, err = r.Lstat(name)
	}
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, ErrLink
	case !info.IsDir():
		return nil, ErrNotDir
	}
	next, err := r.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	// Had a link taken its place meanwhile, it would be another directory.
	if now, err := next.Stat("."); err != nil || !os.SameFile(now, info) {
		return nil, errors.Join(ErrLink, err, next.Close())
	}
	return next, nil
}

// openIn opens the regular file name in r. Nothing else is opened at all, since
// that alone can wait, or move a device; what takes its place between the look
// and the opening is another file, and is closed again.
func openIn(r *os.Root, name string) (*os.File, error) {
	info, err := r.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, ErrLink
	case !info.Mode().IsRegular():
		return nil, ErrNotRegular
	}
	f, err := r.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(now, info) {
		return nil, errors.Join(ErrNotRegular, err, f.Close())
	}
	return f, nil
}

// Open opens the regular file name for reading.
func (d Dir) Open(name string) (f *os.File, err error) {
	r, base, err := d.parent(name, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = first(err, r.Close()) }()
	if f, err = openIn(r, base); err != nil {
		return nil, d.named(name, err)
	}
	return f, nil
}

// ReadFile reads the regular file name, which may have at most limit bytes.
func (d Dir) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	return readAll(f, d.Join(name), limit)
}

// readAll reads f to its end and closes it.
func readAll(f *os.File, path string, limit int64) (data []byte, err error) {
	defer func() { err = first(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() <= limit {
		if data, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
			return nil, err
		}
	}
	// It may have grown meanwhile, or be of a file system that knows no sizes.
	if size := max(info.Size(), int64(len(data))); size > limit {
		err := fmt.Errorf("%w: over %d bytes", ErrTooLarge, limit)
		return nil, advise(&Error{path, err}, path)
	}
	return data, nil
}

// Stat describes the regular file name.
func (d Dir) Stat(name string) (fs.FileInfo, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, first(err, f.Close())
}

// first is the error that counts: that of closing only where nothing else went
// wrong. It is returned as it is, for those who ask os.IsNotExist.
func first(err, closing error) error {
	if err != nil {
		return err
	}
	return closing
}

// named gives an error of a name in d its path and a hint.
func (d Dir) named(name string, err error) error { return named(d.Join(name), err) }

func named(path string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return &fs.PathError{Op: operation(e.Op), Path: path, Err: e.Err}
	}
	return advise(&Error{path, err}, path)
}

// operation is what a person calls a system call.
func operation(op string) string {
	switch op {
	case "mkdirat", "renameat", "unlinkat":
		return strings.TrimSuffix(op, "at")
	case "write", "sync", "read":
		return op
	}
	return "open"
}

// advise adds what to do about a name that is not used.
func advise(e *Error, path string) error {
	show, remove := hint.Command("ls", "-ld", path), hint.Command("rm", path)
	switch {
	case errors.Is(e, ErrLink):
		return hint.With(e, "see its target with %s; remove it with %s, and copy the file itself there", show, remove)
	case errors.Is(e, ErrNotRegular), errors.Is(e, ErrNotDir), errors.Is(e, ErrTooLarge):
		return hint.With(e, "see %s; if you do not need it: %s", show, hint.Command("mv", path, path+".unused"))
	case errors.Is(e, ErrGone):
		return hint.With(e, "insert the same stick again, and run the same command again")
	}
	return e
}
