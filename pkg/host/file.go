package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/atomicfile"
)

// Modes of new files and directories.
const (
	FileMode fs.FileMode = 0o644
	dirMode  fs.FileMode = 0o755
)

// contextAttr is the extended attribute that holds the SELinux context.
const contextAttr = "security.selinux"

// FileState returns the current state of path.
func (h *Host) FileState(path string) (o FileState, err error) {
	at := h.Path(path)
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return FileState{Absent: true}, nil
	}
	if err != nil {
		return o, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		o.UID, o.GID = int(stat.Uid), int(stat.Gid)
	}
	o.Mode = info.Mode().Perm()
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		o.Link, err = os.Readlink(at)
		return o, err
	case !info.Mode().IsRegular():
		return o, fmt.Errorf("cannot save %s: it is not a regular file", path)
	}
	if o.Context, err = readContext(at); err != nil {
		return o, err
	}
	o.Content, err = os.ReadFile(at)
	return o, err
}

// readContext returns "" if the file system or the kernel does not support contexts.
func readContext(at string) (string, error) {
	const most = 4096
	b := make([]byte, most)
	n, err := unix.Lgetxattr(at, contextAttr, b)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read the SELinux context of %s: %w", at, err)
	}
	return string(b[:n]), nil
}

// WriteFile writes path atomically, after recording its previous state. It keeps owner,
// mode and SELinux context of an existing file, and follows symbolic links; a new file
// gets mode.
func (h *Host) WriteFile(path string, content []byte, mode fs.FileMode) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot write %s: %w", path, ErrReadOnly)
	}
	path, now, err := h.target(path)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, h.because(path, err))
	}
	if err := h.Recorder.File(path, now, content); err != nil {
		return fmt.Errorf("cannot save the original of %s: %w", path, err)
	}
	after := now
	after.Content = content
	if now.Absent {
		after = FileState{Content: content, Mode: mode, UID: os.Geteuid(), GID: os.Getegid()}
	}
	if err := h.Put(path, after); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, h.because(path, err))
	}
	return nil
}

// because returns the known obstacle to writing path, with its hint, otherwise err.
func (h *Host) because(path string, err error) error {
	if why := h.Obstacle(path, false); why != nil {
		return why
	}
	return err
}

// target follows symbolic links below Root to the file.
func (h *Host) target(path string) (string, FileState, error) {
	const most = 10
	for range most {
		now, err := h.FileState(path)
		if err != nil || now.Link == "" {
			return path, now, err
		}
		next := now.Link
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	return path, FileState{}, syscall.ELOOP
}

// Remove deletes a file, after recording it; a missing file is not an error.
func (h *Host) Remove(path string) error {
	if h.Recorder == nil {
		return fmt.Errorf("cannot remove %s: %w", path, ErrReadOnly)
	}
	now, err := h.FileState(path)
	if err != nil || now.Absent {
		return err
	}
	if err := h.Recorder.File(path, now, nil); err != nil {
		return fmt.Errorf("cannot save the original of %s: %w", path, err)
	}
	if err := h.Put(path, FileState{Absent: true}); err != nil {
		return fmt.Errorf("cannot remove %s: %w", path, h.because(path, err))
	}
	return nil
}

// Put sets path to the state o without recording: it makes changes and undoes them. It
// is atomic, and the file is on disk when it returns.
func (h *Host) Put(path string, o FileState) error {
	at := h.Path(path)
	dir := filepath.Dir(at)
	if o.Absent {
		err := os.Remove(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if serr := atomicfile.SyncDir(dir); err == nil || !errors.Is(serr, fs.ErrNotExist) {
			return serr
		}
		return nil // the directory no longer exists
	}
	if err := atomicfile.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	// A temporary file of an earlier release that was killed.
	if err := os.Remove(filepath.Join(dir, "."+filepath.Base(at)+".kubecrate")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.Link != "" {
		return atomicfile.Symlink(o.Link, at)
	}
	return create(at, o)
}

// create creates a file that is on disk when it returns. It is private until it has its
// owner.
func create(at string, o FileState) (err error) {
	const private = 0o600
	f, err := atomicfile.Create(at, private)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	if o.UID != os.Geteuid() || o.GID != os.Getegid() {
		if err := f.Chown(o.UID, o.GID); err != nil {
			return err
		}
	}
	if err := f.Chmod(o.Mode); err != nil {
		return err
	}
	if o.Context != "" {
		if err := unix.Fsetxattr(int(f.Fd()), contextAttr, []byte(o.Context), 0); err != nil {
			return fmt.Errorf("cannot set the SELinux context: %w", err)
		}
	}
	if _, err := f.Write(o.Content); err != nil {
		return err
	}
	return f.Commit()
}
