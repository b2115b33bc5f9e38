package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"kubecrate/pkg/atomicfile"
)

// maxVolumes is the largest number of three digits.
const maxVolumes = 999

// volumeName is the name of volume n of base, from 1.
func volumeName(base string, n int) string { return fmt.Sprintf("%s.%03d", base, n) }

// volumeWriter writes one file or, with a limit, volumes of that many bytes, under
// temporary names in the target's directory.
type volumeWriter struct {
	path    string // of the archive
	limit   int64  // bytes per volume, 0 for one file
	tap     func() io.Writer
	volumes []*volume
}

// volume is one file being written.
type volume struct {
	file   *atomicfile.File
	tap    io.Writer   // nil for none
	hash   *hashWriter // nil if there is only one file
	sum    string
	n      int64
	synced int64
}

// writebackStep is how many bytes are written between two calls of startWriteback.
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

// current is the volume with free space.
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
	v, err := w.create()
	if err != nil {
		return nil, err
	}
	if w.limit > 0 {
		v.hash = newHashWriter(v.file)
	}
	if w.tap != nil {
		v.tap = w.tap()
	}
	w.volumes = append(w.volumes, v)
	return v, nil
}

// create creates the next volume. Two processes that write the same archive could
// mix their volumes, so the second one fails here.
func (w *volumeWriter) create() (*volume, error) {
	const mode = 0o644
	if len(w.volumes) > 0 {
		f, err := atomicfile.CreateNext(w.path, mode)
		return &volume{file: f}, err
	}
	f, err := atomicfile.Create(w.path, mode)
	if err != nil {
		return nil, err
	}
	busy, err := atomicfile.Busy(w.path, f)
	if err == nil && busy {
		err = fmt.Errorf("%s is being written by another process", w.path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Abort())
	}
	return &volume{file: f}, nil
}

func (v *volume) write(p []byte) (n int, err error) {
	if v.hash != nil {
		n, err = v.hash.Write(p)
	} else {
		n, err = v.file.Write(p)
	}
	if v.tap != nil {
		if _, terr := v.tap.Write(p[:n]); terr != nil && err == nil {
			err = terr
		}
	}
	if v.n += int64(n); v.n-v.synced >= writebackStep {
		startWriteback(v.file.File, v.synced, v.n-v.synced)
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

// sync writes every byte to the disk.
func (w *volumeWriter) sync() error {
	for _, v := range w.volumes {
		v.endHash()
		if err := v.file.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// names returns the final names: the archive's own for one file, numbered ones for
// several.
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

// removeStale removes files of an earlier archive of the same name that would be
// taken for a part of this one, which has n files.
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

// close closes the files and removes those without a final name.
func (w *volumeWriter) close() error {
	var errs []error
	for _, v := range w.volumes {
		v.endHash()
		errs = append(errs, v.file.Abort())
	}
	return errors.Join(errs...)
}
