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

// Obstacle returns what prevents root from writing or removing path, as WriteFile and
// Remove do, without trying it; nil if nothing does. The error has a hint. If dir is
// set, path is a directory for files.
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
		parent = at // a new entry is created in it
	case dir:
		return hint.With(fmt.Errorf("%s is not a directory", at), "mv %s %s.old", at, at)
	case info.IsDir():
		return hint.With(fmt.Errorf("%s is a directory, but must be a file", at), "mv %s %s.old", at, at)
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
			return hint.With(fmt.Errorf("%s is a mount point and cannot be replaced", at), "umount %s", at)
		}
	}
	return h.closed(parent)
}

// follow resolves p through all links: at is the existing part, and rest what is
// missing. A dangling link is an error, unless p is a file that could be created at its
// target.
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
			return at, "", hint.With(fmt.Errorf("%s is a circular link", next), "rm %s", next)
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
	return hint.With(fmt.Errorf("%s is a link to %s, which does not exist", at, to), "rm %s; or, if a disk must be mounted there, mount -a", at)
}

// unusable is the error of a file system that fails for a file.
func (h *Host) unusable(at string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return hint.With(fmt.Errorf("cannot access %s: %w", at, err), "dmesg shows errors of the disk")
}

// closed returns why nothing can be created or renamed in a directory.
func (h *Host) closed(dir string) error {
	err := unix.Access(h.Path(dir), unix.W_OK)
	switch {
	case errors.Is(err, unix.EROFS):
		return hint.With(fmt.Errorf("%s is on a file system that is mounted read-only", dir),
			"mount -o remount,rw %s; if that fails, dmesg shows errors of the disk", h.mountPoint(dir))
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		if err := h.locked(dir); err != nil {
			return err
		}
		if os.Geteuid() != 0 {
			return nil // not being root is reported elsewhere
		}
		return hint.With(fmt.Errorf("%s is not writable: %w", dir, err), "lsattr -d %s; ls -ld %s", dir, dir)
	case err != nil:
		return h.unusable(dir, err)
	}
	if err := h.locked(dir); err != nil {
		return err
	}
	return h.full(dir)
}

// The attributes of chattr(1) that prevent root from writing, linux/fs.h.
const (
	immutable  = 0x10
	appendOnly = 0x20
)

// locked returns an error if chattr made a file or directory immutable or append-only.
// It is nil on file systems without attributes.
func (h *Host) locked(at string) error {
	f, err := os.OpenFile(h.Path(at), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // only root can read it; not being root is reported elsewhere
	}
	defer func() { _ = f.Close() }() // nothing was written
	flags, err := attributes(f)
	if err != nil {
		return nil
	}
	switch {
	case flags&immutable != 0:
		return hint.With(fmt.Errorf("%s is immutable", at), "chattr -i %s", at)
	case flags&appendOnly != 0:
		return hint.With(fmt.Errorf("%s can only be appended to", at), "chattr -a %s", at)
	}
	return nil
}

// mountedAt reports whether at is a mount point.
func mountedAt(h *Host, at string) (bool, error) {
	list, err := h.Mounts()
	return slices.ContainsFunc(list, func(m Mount) bool { return m.At == at }), err
}

// mountPoint returns the mount point of a directory's file system.
func (h *Host) mountPoint(dir string) string {
	if m, err := h.MountOf(dir); err == nil && m.At != "" {
		return m.At
	}
	return "/"
}

// FullError is a full file system. Cause is what failed because of it, nil if nothing
// was tried; the cause's own hints do not help.
type FullError struct {
	At     string // a path on it
	Inodes bool   // it has space, but no free inodes
	Cause  error
	free   string // a sentence of hints
}

// Error names the file system, and then what failed.
func (e *FullError) Error() string {
	text := "the file system of " + e.At + " is full"
	if e.Inodes {
		text = "the file system of " + e.At + " has no free inodes"
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *FullError) Unwrap() error { return e.Cause }

// As returns the hint of the full file system instead of those of the cause.
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
		return "df -i " + e.At + "; du --inodes -xd 2 " + e.At + " | sort -n | tail shows where the files are"
	}
	return "df -h " + e.At + "; " + e.free + "; du -xh --max-depth=2 " + e.At + " | sort -h | tail shows what uses the space"
}

// scarce is the minimum space that root needs for files other than packages and images:
// the journal, the records, the cluster's files.
const scarce = 4 << 20

// full returns an error if the file system of a directory is full. File systems without
// inode counts, such as btrfs, have enough.
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

// Full returns a *FullError with cause if the file system of one of paths is full,
// otherwise cause.
func (h *Host) Full(cause error, paths ...string) error {
	for _, p := range paths {
		at, err := h.Existing(p)
		if err != nil {
			continue // cause matters
		}
		var full *FullError
		if errors.As(h.full(at), &full) {
			full.Cause = cause
			return full
		}
	}
	return cause
}
