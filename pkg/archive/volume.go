package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxVolumes is what three digits can count.
const maxVolumes = 999

// volumeName is the name of volume n of base, from 1.
func volumeName(base string, n int) string { return fmt.Sprintf("%s.%03d", base, n) }

// volumeWriter writes one file, or with a limit volumes of that many bytes,
// under temporary names in the target's own directory.
type volumeWriter struct {
	path    string // of the archive
	limit   int64  // bytes a volume, 0 for one file
	volumes []*volume
}

// volume is one file being written.
type volume struct {
	file   *os.File
	temp   string
	hash   *hashWriter // nil where there is but one file
	sum    string
	n      int64
	synced int64
}

// writebackStep is how many bytes are written before the disk is asked to start.
const writebackStep = 8 << 20

func (w *volumeWriter) Write(p []byte) (int, error) {
	done := 0
	for {
		v, err := w.current()
		if err != nil {
			return done, err
		}
		part := p[done:]
		if w.limit > 0 {
			part = part[:min(int64(len(part)), w.limit-v.n)]
		}
		n, err := v.write(part)
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

// current is the volume that has room.
func (w *volumeWriter) current() (*volume, error) {
	if n := len(w.volumes); n > 0 {
		v := w.volumes[n-1]
		if w.limit == 0 || v.n < w.limit {
			return v, nil
		}
		if n == maxVolumes {
			return nil, fmt.Errorf("cannot write more than %d volumes of %d bytes", maxVolumes, w.limit)
		}
		v.endHash()
	}
	v, err := createVolume(filepath.Join(filepath.Dir(w.path), "."+volumeName(filepath.Base(w.path), len(w.volumes)+1)+".part"))
	if err != nil {
		return nil, err
	}
	if w.limit > 0 {
		v.hash = newHashWriter(v.file)
	}
	w.volumes = append(w.volumes, v)
	return v, nil
}

// createVolume opens a temporary file. Its name is always the same, so that
// what a killed build left is used again; a lock tells it from one in use.
func createVolume(temp string) (v *volume, err error) {
	const mode = 0o644
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s is being written by another process", temp)
	}
	// A file system without locks is no reason to write nothing.
	ours, err := f.Stat()
	if err != nil {
		return nil, err
	}
	there, err := os.Lstat(temp)
	if err != nil {
		return nil, err
	}
	if !os.SameFile(ours, there) || !ours.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is being written by another process", temp)
	}
	return &volume{file: f, temp: temp}, f.Truncate(0)
}

func (v *volume) write(p []byte) (n int, err error) {
	if v.hash != nil {
		n, err = v.hash.Write(p)
	} else {
		n, err = v.file.Write(p)
	}
	if v.n += int64(n); v.n-v.synced >= writebackStep {
		startWriteback(v.file, v.synced, v.n-v.synced)
		v.synced = v.n
	}
	return n, err
}

func (v *volume) endHash() {
	if v.hash != nil {
		v.sum = v.hash.close()
		v.hash = nil
	}
}

// sync brings every byte to the disk.
func (w *volumeWriter) sync() error {
	for _, v := range w.volumes {
		v.endHash()
		if err := v.file.Sync(); err != nil {
			return fmt.Errorf("cannot bring %s to the disk: %w", v.temp, err)
		}
	}
	return nil
}

// names are those that the files will have: the archive's own for one file,
// numbered ones for more.
func (w *volumeWriter) names() []string {
	if len(w.volumes) == 1 {
		return []string{w.path}
	}
	names := make([]string, len(w.volumes))
	for i := range names {
		names[i] = volumeName(w.path, i+1)
	}
	return names
}

// publish gives the files their names.
func (w *volumeWriter) publish() error {
	for i, name := range w.names() {
		v := w.volumes[i]
		if err := os.Rename(v.temp, name); err != nil {
			return err
		}
		v.temp = ""
		if err := v.file.Close(); err != nil {
			return err
		}
		v.file = nil
	}
	return nil
}

// removeStale removes what an earlier archive of the same name left and that
// would be taken for a part of this one, which has n files.
func (w *volumeWriter) removeStale(n int) error {
	if n > 1 {
		if err := os.Remove(w.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else {
		n = 0
	}
	for n++; n <= maxVolumes; n++ {
		if err := os.Remove(volumeName(w.path, n)); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
	}
	return nil
}

// abort removes what has no name yet.
func (w *volumeWriter) abort() error {
	var errs []error
	for _, v := range w.volumes {
		v.endHash()
		if v.temp != "" {
			errs = append(errs, os.Remove(v.temp))
		}
		if v.file != nil {
			errs = append(errs, v.file.Close())
		}
	}
	return errors.Join(errs...)
}
