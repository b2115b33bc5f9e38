package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

// lockFile lies where a boot clears it: it says nothing that is worth keeping.
const lockFile = "/run/kubecrate.lock"

// lock keeps two runs on one host apart. The kernel lets go of it when the
// program ends, however that ends; the number in it is for the message only.
func lock(h *host.Host) (release func() error, err error) {
	path := h.Path(lockFile)
	const dirMode, fileMode = 0o755, 0o644
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, cannotLock(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, cannotLock(err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(busy(f), f.Close())
	case err != nil:
		return nil, errors.Join(cannotLock(err), f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(cannotLock(err), f.Close())
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		return nil, errors.Join(cannotLock(err), f.Close())
	}
	return f.Close, nil
}

func cannotLock(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hint.With(fmt.Errorf("only root may change this host: %w", err), "%s", hint.Root(""))
	}
	return fmt.Errorf("cannot lock this host: %w", err)
}

// ErrBusy is another run of the installer on this host.
var ErrBusy = errors.New("another install is at work on this host")

func busy(f *os.File) error {
	const most = 20
	text, err := io.ReadAll(io.LimitReader(f, most))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return hint.With(fmt.Errorf("%w (process %s)", ErrBusy, pid), "wait until it is done; ps -p %s shows it", pid)
	}
	return hint.With(ErrBusy, "wait until it is done")
}

// locked says whether a run is at work on h.
func locked(h *host.Host) (bool, error) {
	f, err := os.Open(h.Path(lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look for another install: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
