package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/hint"
)

// Obstacle is what keeps root from giving path a content, or from removing it, as
// WriteFile and Remove do, told before it is tried: nil where nothing does. The
// error has a hint. A directory is no obstacle where dir is set: it is for a
// path below which files are to come.
func (h *Host) Obstacle(p string, dir bool) error {
	at, rest, err := h.follow(p, dir)
	if err != nil {
		return err
	}
	info, err := os.Lstat(h.Path(at))
	if err != nil {
		return h.unusable(at, err)
	}
	parent := path.Dir(at)
	switch {
	case rest != "" && !info.IsDir():
		return hint.With(fmt.Errorf("%s is not a directory", at), "mv %s %s.old", at, at)
	case rest != "" || dir && info.IsDir():
		parent = at // something new comes into it
	case dir:
		return hint.With(fmt.Errorf("%s is not a directory", at), "mv %s %s.old", at, at)
	case info.IsDir():
		return hint.With(fmt.Errorf("%s is a directory, and a file belongs there", at), "mv %s %s.old", at, at)
	case !info.Mode().IsRegular() && at != p:
		return hint.With(fmt.Errorf("%s is a link to %s, which is not a file", p, at), "rm %s", p)
	case !info.Mode().IsRegular():
		return hint.With(fmt.Errorf("%s is not a file", at), "mv %s %s.old", at, at)
	default:
		if err := h.locked(at); err != nil {
			return err
		}
		mounted, err := mountedAt(h, at)
		if err != nil {
			return err
		}
		if mounted {
			return hint.With(fmt.Errorf("%s is a mount of its own, which nothing can take the place of", at), "umount %s", at)
		}
	}
	return h.closed(parent)
}

// follow goes down to p through all links: at is as far as it is there, and rest
// what is missing. A link that leads nowhere is an error, unless p is for a file
// that could be made where it leads.
func (h *Host) follow(p string, dir bool) (at, rest string, err error) {
	const most = 40 // links, as the kernel allows
	at = "/"
	words := strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/")
	for links := 0; len(words) > 0 && words[0] != ""; {
		next := path.Join(at, words[0])
		info, err := os.Lstat(h.Path(next))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return at, path.Join(words...), nil
		case err != nil:
			return at, "", h.unusable(next, err)
		case info.Mode()&fs.ModeSymlink == 0:
			at, words = next, words[1:]
			continue
		}
		link, err := os.Readlink(h.Path(next))
		if err != nil {
			return at, "", h.unusable(next, err)
		}
		to := link
		if !path.IsAbs(to) {
			to = path.Join(at, to)
		}
		if links++; links > most {
			return at, "", hint.With(fmt.Errorf("%s is a link that leads back to itself", next), "rm %s", next)
		}
		if there, err := h.Exists(path.Dir(to)); err != nil || !there {
			return at, "", dangling(next, link)
		}
		if there, err := h.Exists(to); (dir || len(words) > 1) && (err != nil || !there) {
			return at, "", dangling(next, link)
		}
		at, words = "/", append(strings.Split(strings.Trim(path.Clean(to), "/"), "/"), words[1:]...)
	}
	return at, "", nil
}

func dangling(at, to string) error {
	return hint.With(fmt.Errorf("%s is a link to %s, which is not there", at, to), "rm %s; or, if a disk is to be mounted there, mount -a", at)
}

// unusable is a file system that gives an error for a file.
func (h *Host) unusable(at string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return hint.With(fmt.Errorf("cannot look at %s: %w", at, err), "dmesg tells what is wrong with the disk")
}

// closed is why nothing can be made or renamed in a directory.
func (h *Host) closed(dir string) error {
	err := unix.Access(h.Path(dir), unix.W_OK)
	switch {
	case errors.Is(err, unix.EROFS):
		return hint.With(fmt.Errorf("%s is on a file system that is mounted read-only", dir),
			"mount -o remount,rw %s; if that fails, dmesg tells what is wrong with the disk", h.mountPoint(dir))
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		if err := h.locked(dir); err != nil {
			return err
		}
		if os.Geteuid() != 0 {
			return nil // not being root is said elsewhere
		}
		return hint.With(fmt.Errorf("%s lets nobody write to it: %w", dir, err), "lsattr -d %s; ls -ld %s", dir, dir)
	case err != nil:
		return h.unusable(dir, err)
	}
	if err := h.locked(dir); err != nil {
		return err
	}
	return h.full(dir)
}

// The attributes of chattr(1) that keep root from writing, linux/fs.h.
const (
	immutable  = 0x10
	appendOnly = 0x20
)

// locked is for a file or a directory that chattr made immutable. A file system
// without such attributes has none.
func (h *Host) locked(at string) error {
	f, err := os.OpenFile(h.Path(at), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // who cannot read it is not root, which is said elsewhere
	}
	defer func() { _ = f.Close() }() // nothing was written
	flags, err := attributes(f)
	if err != nil {
		return nil
	}
	switch {
	case flags&immutable != 0:
		return hint.With(fmt.Errorf("%s is immutable: nobody can change it", at), "chattr -i %s", at)
	case flags&appendOnly != 0:
		return hint.With(fmt.Errorf("%s can only be appended to", at), "chattr -a %s", at)
	}
	return nil
}

// mountedAt says whether something is mounted at exactly this path.
func mountedAt(h *Host, at string) (bool, error) {
	list, err := h.Mounts()
	return slices.ContainsFunc(list, func(m Mount) bool { return m.At == at }), err
}

// mountPoint is where the file system of a directory is mounted.
func (h *Host) mountPoint(dir string) string {
	if m, err := h.MountOf(dir); err == nil && m.At != "" {
		return m.At
	}
	return "/"
}

// FullError is a file system that takes nothing more. Cause is what failed by it,
// nil where nothing was tried; what its hints say is not what helps.
type FullError struct {
	At     string // a path on it
	Inodes bool   // it has room, but for no file more
	Cause  error
	free   string // a sentence of hints
}

// Error names the file system, and then what failed.
func (e *FullError) Error() string {
	text := "the file system of " + e.At + " is full"
	if e.Inodes {
		text = "the file system of " + e.At + " can hold no file more (no free inodes)"
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *FullError) Unwrap() error { return e.Cause }

// As gives the hint of the full file system in place of those of the cause.
func (e *FullError) As(target any) bool {
	t, ok := target.(**hint.Error)
	if !ok {
		return false
	}
	*t = &hint.Error{Hint: e.hint()}
	return true
}

func (e *FullError) hint() string {
	if e.Inodes {
		return "df -i " + e.At + "; find out where the many files are: du --inodes -xd 2 " + e.At + " | sort -n | tail"
	}
	return "df -h " + e.At + "; " + e.free + "; du -xh --max-depth=2 " + e.At + " | sort -h | tail shows what takes the space"
}

// scarce is what root needs at the least for what is written beside packages and
// images: the journal, the records, the cluster's files.
const scarce = 4 << 20

// full is for a directory on a file system without room. One that counts no
// inodes, as btrfs, has enough.
func (h *Host) full(dir string) error {
	st, err := statfs(h.Path(dir))
	if err != nil {
		return h.unusable(dir, err)
	}
	switch {
	case st.Blocks > 0 && bytesOf(st.Bfree, int64(st.Bsize)) < scarce: //nolint:unconvert // the type differs between systems
		return &FullError{At: h.mountPoint(dir), free: h.FreeHint()}
	case st.Files > 0 && st.Ffree == 0:
		return &FullError{At: h.mountPoint(dir), Inodes: true}
	}
	return nil
}

// Full is a *FullError where the file system of one of paths takes nothing more,
// with cause in it; otherwise cause itself.
func (h *Host) Full(cause error, paths ...string) error {
	for _, p := range paths {
		at, err := h.Existing(p)
		if err != nil {
			continue // it is cause that counts
		}
		var full *FullError
		if errors.As(h.full(at), &full) {
			full.Cause = cause
			return full
		}
	}
	return cause
}
