// Package extract writes members of an archive below a directory; no member's name
// can lead out of it.
package extract

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
)

// Members writes the named members below dir and returns their paths. A name ending
// in a slash selects everything below it. Content is checked against the index, and
// existing files are never overwritten.
func Members(r *archive.Reader, names []string, dir string) (written []string, err error) {
	var members []string
	for _, name := range names {
		before := len(members)
		for _, m := range r.Index().Members {
			if m.Path == name || strings.HasSuffix(name, "/") && strings.HasPrefix(m.Path, name) {
				members = append(members, m.Path)
			}
		}
		if len(members) == before {
			return nil, hint.With(fmt.Errorf("the archive has no member %q", name), "./install inspect lists the contents; SHA256SUMS names every member: ./install extract SHA256SUMS -o DIR")
		}
	}
	const mode = 0o755
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, fmt.Errorf("cannot create the directory: %w", err)
	}
	root, err := os.OpenRoot(dir) // no path and no link leads out of it
	if err != nil {
		return nil, fmt.Errorf("cannot write below %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, name := range members {
		if err := one(r, root, name); err != nil {
			return written, err
		}
		written = append(written, filepath.Join(dir, filepath.FromSlash(name)))
	}
	return written, nil
}

func one(r *archive.Reader, root *os.Root, name string) (err error) {
	from, err := r.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := createBelow(root, name)
	if err != nil {
		return cannotWrite(name, err)
	}
	defer func() { err = errors.Join(err, to.Abort()) }()
	if _, err := to.ReadFrom(from); err != nil { // fails at the end if the content does not match the index
		return fmt.Errorf("cannot extract %s: %w", name, err)
	}
	if err := to.CommitNew(); err != nil {
		return cannotWrite(name, err)
	}
	return nil
}

// createBelow creates a new file. An existing one is detected early, before its
// content is read.
func createBelow(root *os.Root, name string) (_ *atomicfile.File, err error) {
	const dirMode, mode = 0o755, 0o644
	if err := root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return nil, err
	}
	if _, err := root.Lstat(name); err == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EEXIST}
	}
	dir, err := root.OpenRoot(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return atomicfile.CreateIn(dir, path.Base(name), mode)
}

func cannotWrite(name string, err error) error {
	err = fmt.Errorf("cannot write %s: %w", name, err)
	if errors.Is(err, fs.ErrExist) {
		err = hint.With(err, "existing files are not overwritten: -o DIR names another directory")
	}
	return err
}
