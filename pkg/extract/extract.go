// Package extract writes members of an archive to a directory, below which they
// stay whatever their names are.
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

// Members writes the members that names ask for below dir, and gives their paths.
// A name that ends with a slash asks for all below it. What is read is compared with
// the index, and a file that is there is never overwritten.
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
			return nil, hint.With(fmt.Errorf("the archive has no member %q", name), "./install inspect lists what there is; SHA256SUMS names every member: ./install extract SHA256SUMS -o DIR")
		}
	}
	const mode = 0o755
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, fmt.Errorf("cannot make the directory: %w", err)
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
	if _, err := to.ReadFrom(from); err != nil { // at its end where the content is not the index's
		return fmt.Errorf("cannot extract %s: %w", name, err)
	}
	if err := to.CommitNew(); err != nil {
		return cannotWrite(name, err)
	}
	return nil
}

// createBelow begins a file that must not be there. One that is there is seen
// before much is read for nothing.
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
		err = hint.With(err, "it is never overwritten: -o DIR names another directory")
	}
	return err
}
