package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// OpenPath opens the archive at path, which may be the name of any of its volumes
// or the name that they share. The error names a volume that is missing, truncated
// or from another archive. Close the closer after the last read.
func OpenPath(path string) (*Reader, io.Closer, error) {
	s, err := OpenSource(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := s.reader(Open)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return r, &closer{s, r}, nil
}

// closer releases the decoders and closes the files.
type closer struct {
	s *Source
	r *Reader
}

func (c *closer) Close() error {
	c.r.Release()
	return c.s.Close()
}

// Files returns the files of the archive at path, as for OpenPath, and the name
// that they share, with which the names of its sidecars begin.
func Files(path string) (base string, files []string, err error) {
	base, list, err := filesOf(path)
	if err != nil {
		return "", nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	for _, f := range list {
		files = append(files, f.Path())
	}
	return base, files, nil
}

// filesOf finds the files of the archive at path, and the name that they share.
// path itself may be a link; a file found in a directory may not.
func filesOf(path string) (base string, files []media.File, err error) {
	if b, n := splitVolume(path); n > 0 {
		if _, err := os.Stat(path); err == nil {
			files, err := listVolumes(b)
			return b, files, err
		}
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path, nil, hint.With(errors.New("it is a directory"), "%s", archiveIn(path))
	}
	one := media.Named(path)
	if _, err = one.Stat(); err == nil {
		return path, []media.File{one}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return path, nil, err
	}
	if files, verr := listVolumes(path); len(files) > 0 || verr != nil {
		return path, files, verr
	}
	return path, nil, err
}

// archiveIn returns a hint which file to name instead of the directory dir.
func archiveIn(dir string) string {
	const ending = ".tar.zst"
	list, err := media.At(dir).List(".", 1, func(name string) bool {
		return strings.HasSuffix(name, ending) || strings.HasSuffix(name, ending+".001")
	})
	if (err == nil || errors.Is(err, media.ErrTooMany)) && len(list) > 0 {
		return "name the archive in it: " + shellWord(filepath.Join(dir, list[0]))
	}
	return fmt.Sprintf("name an archive, a file NAME%s: ls -l %s", ending, shellWord(dir))
}

// splitVolume splits the number off the name of a volume; n is 0 if there is
// none.
func splitVolume(path string) (base string, n int) {
	const digits = 3
	i := len(path) - digits - 1
	if i < 0 || path[i] != '.' || strings.Trim(path[i+1:], "0123456789") != "" {
		return path, 0
	}
	for _, c := range path[i+1:] {
		n = 10*n + int(c-'0')
	}
	return path[:i], n
}

// listVolumes lists the volumes of base, in order. The sidecar, if present, lists
// how many there should be.
func listVolumes(base string) ([]media.File, error) {
	dir, common := media.At(filepath.Dir(base)), filepath.Base(base)
	number := func(name string) int {
		if b, n := splitVolume(name); b == common {
			return n
		}
		return 0
	}
	names, err := dir.List(".", maxVolumes, func(name string) bool { return number(name) > 0 })
	if err != nil || len(names) == 0 {
		return nil, err
	}
	last := number(names[len(names)-1])
	if side, err := readSidecar(base + SidecarSuffix); err == nil {
		for name := range side.sums {
			last = max(last, number(name))
		}
	}
	var files []media.File
	for n := 1; n <= last; n++ {
		name := volumeName(common, n)
		if !slices.Contains(names, name) {
			if _, err := dir.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			return nil, hint.With(damage("volume %s is missing", name), "copy it into %s", dir.Path())
		}
		files = append(files, dir.File(name))
	}
	return files, nil
}

// volumes is an io.ReaderAt over concatenated files.
type volumes struct {
	files  []*os.File
	starts []int64 // of each file, and the end of the last
}

func openVolumes(files []media.File) (*volumes, error) {
	v := &volumes{starts: []int64{0}}
	for i, file := range files {
		f, err := file.Open()
		if err != nil {
			return nil, errors.Join(err, v.Close())
		}
		v.files = append(v.files, f)
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, v.Close())
		}
		first, size := v.starts[min(1, i)], info.Size()
		if last := i == len(files)-1; i > 0 && (size > first || size < first && !last || size == 0) {
			base, _ := splitVolume(file.Path())
			err := damage("volume %s has %d bytes, the first one has %d", filepath.Base(file.Path()), size, first)
			return nil, errors.Join(hint.With(err, "%s", copyAgain(base)), v.Close())
		}
		v.starts = append(v.starts, v.starts[i]+size)
	}
	return v, nil
}

// base is the name that the volumes share.
func (v *volumes) base() string {
	base, _ := splitVolume(v.files[0].Name())
	return base
}

func (v *volumes) size() int64 { return v.starts[len(v.files)] }

// Close closes the files.
func (v *volumes) Close() error {
	var errs []error
	for _, f := range v.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// ReadAt reads across the ends of files.
func (v *volumes) ReadAt(b []byte, offset int64) (int, error) {
	done := 0
	for i, f := range v.files {
		at := offset + int64(done)
		if at >= v.starts[i+1] {
			continue
		}
		part := b[done:min(int64(len(b)), int64(done)+v.starts[i+1]-at)]
		n, err := f.ReadAt(part, at-v.starts[i])
		if done += n; n < len(part) {
			return done, err
		}
		if done == len(b) {
			return done, nil
		}
	}
	return done, io.EOF
}

// check verifies one frame in every volume: a volume from another build has the
// right name and often the right size.
func (v *volumes) check(r *Reader) error {
	t := r.table
	for k := 1; k < len(v.files) && r.damage == nil; k++ {
		i, _ := slices.BinarySearch(t.at, v.starts[k])
		if i >= len(t.frames) || t.at[i] >= v.starts[k+1] {
			continue
		}
		start, sum := make([]byte, min(maxHeader, int64(t.frames[i].compressed))), make([]byte, 4)
		err := readAt(v, start, t.at[i])
		if err == nil {
			err = checkHeader(start, t.frames[i])
		}
		if err == nil && t.at[i+1] <= v.starts[k+1] {
			err = readAt(v, sum, t.at[i+1]-int64(len(sum)))
			if err == nil && tailSum(sum) != t.frames[i].sum {
				err = damage("a frame's checksum does not match the seek table")
			}
		}
		if err != nil {
			return hint.With(fmt.Errorf("volume %s is damaged or from another build: %w", filepath.Base(v.files[k].Name()), err),
				"copy all volumes again and check them: %s", verifyThere(v.base()))
		}
	}
	return nil
}

// suspect names the volume to check when the archive cannot be opened.
func (v *volumes) suspect(base string, err error) error {
	n := len(v.files)
	if one := (*hint.Error)(nil); errors.As(err, &one) {
		err = one.Err // its hint is for an archive of one file
	}
	return hint.With(fmt.Errorf("volumes %s to %s do not form one archive: %w", filepath.Base(v.files[0].Name()), filepath.Base(v.files[n-1].Name()), err),
		"check that %s is not missing and that all volumes are from one build: %s", volumeName(filepath.Base(base), n+1), verifyThere(base))
}
