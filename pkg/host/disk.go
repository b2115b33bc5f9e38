package host

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Existing returns the nearest existing path at or above p, with symbolic links followed
// below Root: where something written to p would be.
func (h *Host) Existing(p string) (string, error) {
	const most = 40 // links, as the kernel allows
	at, rest, links := "/", strings.Split(path.Clean("/" + p)[1:], "/"), 0
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		info, err := os.Lstat(h.Path(next))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return at, nil
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink == 0:
			at, rest = next, rest[1:]
			continue
		}
		if links++; links > most {
			return "", fmt.Errorf("cannot follow %s: %w", p, syscall.ELOOP)
		}
		link, err := os.Readlink(h.Path(next))
		if err != nil {
			return "", err
		}
		if !path.IsAbs(link) {
			link = path.Join(at, link)
		}
		at, rest = "/", append(strings.Split(path.Clean(link)[1:], "/"), rest[1:]...)
	}
	return at, nil
}

// Space returns the size of the file system of p, which may not exist, and the space
// available there to users other than root, in bytes.
func (h *Host) Space(p string) (size, free int64, err error) {
	at, err := h.Existing(p)
	if err != nil {
		return 0, 0, err
	}
	st, err := statfs(h.Path(at))
	if err != nil {
		return 0, 0, fmt.Errorf("cannot query the file system of %s: %w", p, err)
	}
	block := int64(st.Bsize) //nolint:unconvert // the type differs between systems
	return bytesOf(st.Blocks, block), bytesOf(st.Bavail, block), nil
}

func statfs(at string) (st unix.Statfs_t, err error) {
	err = unix.Statfs(at, &st)
	return st, err
}

// bytesOf converts blocks to bytes, at most MaxInt64.
func bytesOf(blocks uint64, size int64) int64 {
	if size <= 0 || blocks > math.MaxInt64 || int64(blocks) > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks) * size
}
