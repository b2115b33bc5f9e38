package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A temporary name is ".kubecrate-", 16 hex digits, "-", what the file is to be
// called, and ".part".
const (
	tempPrefix = ".kubecrate-"
	tempSuffix = ".part"
	tempRandom = 16
	// longestBase keeps a temporary name below the 255 bytes that a name may have.
	longestBase = 200
	// staleAfter is the age at which a temporary file counts as left behind
	// where the file system knows no locks.
	staleAfter = 24 * time.Hour
)

func tempName(name string) string {
	b := make([]byte, tempRandom/2)
	_, _ = rand.Read(b) // it is documented never to fail
	return tempPrefix + hex.EncodeToString(b) + "-" + shortened(name) + tempSuffix
}

func shortened(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), longestBase)], "")
}

// tempFor says what a temporary name is for; ok is false for any other name.
func tempFor(name string) (base string, ok bool) {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	if !ok || len(rest) <= tempRandom || rest[tempRandom] != '-' || strings.Trim(rest[:tempRandom], "0123456789abcdef") != "" {
		return "", false
	}
	return strings.CutSuffix(rest[tempRandom+1:], tempSuffix)
}

// Sweep removes from dir what killed runs left there under temporary names:
// unlocked files of this user, and links. A directory that is missing has
// none.
func Sweep(dir string) (err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return sweep(rootDisk{root})
}

func sweep(d disk) error {
	entries, err := d.list()
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil // a directory that may be written to, and not be read
		}
		return err
	}
	for _, e := range entries {
		if _, ours := tempFor(e.Name()); !ours {
			continue
		}
		left, err := false, error(nil)
		switch {
		case e.Type().IsRegular():
			left, err = abandoned(d, e.Name())
		case e.Type() == fs.ModeSymlink:
			left, err = abandonedLink(d, e.Name())
		}
		if err != nil || !left {
			continue // another user's, or already gone: not a reason to fail
		}
		if err := d.remove(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// abandoned says whether the temporary file name is this user's and nobody is
// writing it.
func abandoned(d disk, name string) (left bool, err error) {
	f, err := d.open(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || !ownedByUs(info) {
		return false, err
	}
	there, err := d.lstat(name)
	if err != nil || !os.SameFile(info, there) {
		return false, err
	}
	switch free, err := lock(f); {
	case err != nil:
		return time.Since(info.ModTime()) > staleAfter, nil
	case !free:
		return false, nil
	}
	// Its owner may have renamed it before the lock was free.
	there, err = d.lstat(name)
	return err == nil && os.SameFile(info, there), err
}

// abandonedLink says whether the temporary link name is this user's; see Symlink.
func abandonedLink(d disk, name string) (bool, error) {
	info, err := d.lstat(name)
	return err == nil && ownedByUs(info), err
}

// claim locks f, which was just made as temp; false says that a sweep was
// quicker and f has no name any more.
func claim(d disk, f *os.File, temp string) (bool, error) {
	free, err := lock(f)
	if err != nil {
		return true, nil // a file system without locks is not a reason to fail
	}
	if !free {
		return false, nil
	}
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := d.lstat(temp)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(ours, there), err
}

// Busy says whether somebody else is writing the file at path this moment.
// besides are files of the caller's own.
func Busy(path string, besides ...*File) (busy bool, err error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	d := rootDisk{root}
	entries, err := d.list()
	if err != nil {
		return false, err
	}
	own := map[string]bool{}
	for _, f := range besides {
		own[f.temp] = true
	}
	for _, e := range entries {
		if base, ok := tempFor(e.Name()); !ok || base != shortened(filepath.Base(path)) || own[e.Name()] {
			continue
		}
		f, err := d.open(e.Name())
		if err != nil {
			continue // already gone, or not readable
		}
		free, err := lock(f)
		if cerr := f.Close(); cerr != nil {
			return false, cerr
		}
		if err == nil && !free {
			return true, nil
		}
	}
	return false, nil
}
