package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// maxEntries is how many entries of a directory are looked at.
const maxEntries = 1 << 16

// List returns the names of the regular files in the directory name that want
// takes, sorted; "." is d itself. Names that begin with a dot are passed over:
// other systems leave them beside a file of the same name. Where more than most
// are wanted, or the directory does not seem to end, the error wraps ErrTooMany
// and the names are those that were seen until then.
func (d Dir) List(name string, most int, want func(name string) bool) (names []string, err error) {
	r, err := d.directory(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = first(err, r.Close()) }()
	f, err := r.Open(".")
	if err != nil {
		return nil, d.named(name, err)
	}
	defer func() { err = first(err, f.Close()) }()
	seen, err := list(f, maxEntries, func(e fs.DirEntry) bool {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && want(e.Name()) {
			names = append(names, e.Name())
		}
		return len(names) <= most
	})
	if err != nil {
		return nil, d.named(name, err)
	}
	names = names[:min(len(names), most)]
	slices.Sort(names)
	if !seen {
		err := &Error{d.Join(name), fmt.Errorf("%w: only the first %d are used", ErrTooMany, len(names))}
		return names, err
	}
	return names, nil
}

// directory opens the directory name, "." for d itself.
func (d Dir) directory(name string) (*os.Root, error) {
	if name == "." {
		return d.open()
	}
	r, _, err := d.parent(name+"/.x", nil)
	return r, err
}

// list gives the entries of f to each until that is false, and at most most of
// them; all says that there are no more.
func list(f *os.File, most int, each func(fs.DirEntry) bool) (all bool, err error) {
	const batch = 256
	for n := 0; n < most; {
		entries, err := f.ReadDir(min(batch, most-n))
		for _, e := range entries {
			if !each(e) {
				return false, nil
			}
		}
		n += len(entries)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// RemoveEmpty removes the directory name where nothing is in it.
func (d Dir) RemoveEmpty(name string) error {
	r, err := d.directory(name)
	if err != nil {
		return err
	}
	f, err := r.Open(".")
	if err == nil {
		_, err = f.ReadDir(1)
		err = errors.Join(err, f.Close())
	}
	empty := errors.Is(err, io.EOF)
	if err := r.Close(); err != nil || !empty {
		return err
	}
	return d.Remove(name)
}
