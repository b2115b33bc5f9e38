package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
)

// Written describes what WriteFile wrote. Size, in bytes, and SHA256 are those of
// the archive as one file; Files are that file or its volumes; Sidecar is the
// path of the .sha256.
type Written struct {
	Index   *Index
	Size    int64
	SHA256  string
	Files   []WrittenFile
	Sidecar string

	IndexText []byte        // index.json as it was written
	Programs  []WrittenFile // beside the archive
}

// WrittenFile is one file; Size is in bytes, SHA256 in hex.
type WrittenFile struct {
	Path   string
	Size   int64
	SHA256 string
	Tap    io.Writer // result of CreateOptions.Tap

	file *atomicfile.File
	info fs.FileInfo // of file, when it was complete
}

// WriteFile writes an archive to path and its sidecar to path.sha256. An
// archive of more than o.VolumeSize bytes is written as volumes path.001,
// path.002 and so on, each full but the last; without a VolumeSize the limit of
// the file system applies, see FileLimit. Files get their final names only when all
// of them are complete and on the disk; an error leaves no new files. Earlier
// archives and volumes of the same name are replaced, and their signatures removed.
//
// The output is read back before it gets its final name, from the disk if the
// system drops its cache, and verified like Verify; programs are copied from what
// was read back. If a member does not match the index, its Forget is called. When
// WriteFile returns nil, the files under the final names are those it wrote.
func WriteFile(ctx context.Context, path string, o CreateOptions, entries []Entry) (*Written, error) {
	dir := filepath.Dir(path)
	most, limited := FileLimit(dir)
	limit, err := volumeLimit(o.VolumeSize, most, limited)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := requireSpace(path, entries); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	w := &volumeWriter{path: path, limit: limit, tap: o.Tap}
	written, err := write(ctx, w, o, entries)
	if err = errors.Join(err, w.close()); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, explain(err, dir))
	}
	return written, nil
}

// MakeDir creates the target directory of an archive, if it is missing, and checks
// before any long work that it is writable.
func MakeDir(dir string) error {
	const mode = 0o755
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("cannot create the target directory: %w", explain(err, dir))
	}
	f, err := atomicfile.Create(filepath.Join(dir, "probe"), mode)
	if err == nil {
		err = f.Abort()
	}
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err // its path is a temporary name
		}
		return fmt.Errorf("cannot write to %s: %w", dir, explain(err, dir))
	}
	return nil
}

// CheckTarget checks before anything is fetched that an archive in volumes of volume
// bytes fits into the existing directory dir. least is its minimum size: if less is
// free, the error has the figures. likely is its probable size: if less is free,
// the warning says so. Sizes are in bytes.
func CheckTarget(dir string, volume, least, likely int64) (warning string, err error) {
	most, limited := FileLimit(dir)
	if _, err := volumeLimit(volume, most, limited); err != nil {
		return "", fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	switch free := freeBytes(dir); {
	case free < 0 || free >= likely:
		return "", nil
	case free >= least:
		return fmt.Sprintf("the archive probably needs %s, but %s has only %s free: check with df -h %s", progress.Size(likely), dir, progress.Size(free), shellWord(dir)), nil
	default:
		return "", fmt.Errorf("cannot write to %s: %w", dir, noSpace(dir, least, free))
	}
}

// noSpace returns the error for a disk that is too small.
func noSpace(dir string, need, free int64) error {
	return explain(fmt.Errorf("%s needed, %s free: %w", progress.Size(need), progress.Size(free), unix.ENOSPC), dir)
}

// volumeLimit returns the size of a volume in bytes; most is the limit of the file
// system, if limited.
func volumeLimit(wanted, most int64, limited bool) (int64, error) {
	const whole = 1 << 20
	if wanted < 0 {
		return 0, fmt.Errorf("invalid volume size of %d bytes", wanted)
	}
	switch {
	case !limited:
		return wanted, nil
	case wanted > most:
		return 0, hint.With(fmt.Errorf("volumes of %d bytes do not fit on FAT, which limits files to %d bytes", wanted, most), "--volume-size 3900M fits")
	case wanted == 0:
		return most / whole * whole, nil
	}
	return wanted, nil
}

// requireSpace compares the size of already packed frames with the free space.
func requireSpace(path string, entries []Entry) error {
	free := freeBytes(filepath.Dir(path))
	if free < 0 {
		return nil
	}
	var need int64
	for _, e := range entries {
		if e.Packed == nil || e.Size < ownFrames {
			continue
		}
		f, err := e.Packed()
		if err != nil {
			continue // Create reports it or compresses the content again
		}
		p, err := readPacked(f)
		if err == nil {
			need += p.Compressed
		}
		_ = f.Close() // it was only read
	}
	if need <= free {
		return nil
	}
	return noSpace(filepath.Dir(path), need, free)
}

// explain adds a hint to an error of a disk that does not accept the archive.
func explain(err error, dir string) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hint.With(err, "check the disk with df -h %s; remove old archives or write to another disk with -o DIR", shellWord(dir))
	case errors.Is(err, unix.EROFS):
		return hint.With(err, "%s is mounted read-only: check its write-protect switch, run mount -o remount,rw on it, or write to another disk with -o DIR", dir)
	case errors.Is(err, unix.EFBIG):
		return hint.With(err, "the disk of %s cannot hold such a large file: --volume-size 3900M splits it", dir)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return hint.With(err, "check its owner with ls -ld %s, or write to another directory with -o DIR", shellWord(dir))
	}
	return err
}

// shellWord quotes s if a shell would split it.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t\n'\"\\$`&;|<>()*?[]#~=%!{}") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
