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

// Written says what WriteFile wrote. Size, in bytes, and SHA256 are those of
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
	Tap    io.Writer // what CreateOptions.Tap made

	file *atomicfile.File
	info fs.FileInfo // of file, when it was complete
}

// WriteFile writes an archive to path and its sidecar to path.sha256. An
// archive of more than o.VolumeSize bytes is written as volumes path.001,
// path.002 and so on, each full but the last; without a VolumeSize the limit of
// the file system counts, see FileLimit. Files appear under their names only
// when all of them are complete and on the disk; after an error nothing new is
// there. Archives and volumes of the same name from before are replaced, and
// their signatures removed.
//
// What was written is read back before it gets its name, from the disk where the
// system lets go of its memory of it, and verified as Verify does; programs are
// copied out of what was read back. Should a member turn out to be something
// else than the index says, its Forget is called. When WriteFile returns, what
// lies under the names is what it wrote, or there is an error.
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

// MakeDir makes the directory that an archive is to be written to, where it is
// missing, and says before any long work whether it takes files.
func MakeDir(dir string) error {
	const mode = 0o755
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("cannot make the target directory: %w", explain(err, dir))
	}
	f, err := atomicfile.Create(filepath.Join(dir, "probe"), mode)
	if err == nil {
		err = f.Abort()
	}
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err // its path is a name that was made up
		}
		return fmt.Errorf("cannot write to %s: %w", dir, explain(err, dir))
	}
	return nil
}

// CheckTarget says before anything is fetched whether an archive in volumes of
// volume bytes can be written to dir, which is there, beside what lies in it by
// now. It takes least bytes at least, where less than that is free the error has
// the figures; likely is what it probably takes, and warning says that this is
// more than there is. Sizes are in bytes.
func CheckTarget(dir string, volume, least, likely int64) (warning string, err error) {
	most, limited := FileLimit(dir)
	if _, err := volumeLimit(volume, most, limited); err != nil {
		return "", fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	switch free := freeBytes(dir); {
	case free < 0 || free >= likely:
		return "", nil
	case free >= least:
		return fmt.Sprintf("the archive probably takes %s, and %s has %s free: df -h %s shows the disk", progress.Size(likely), dir, progress.Size(free), shellWord(dir)), nil
	default:
		return "", fmt.Errorf("cannot write to %s: %w", dir, noSpace(dir, least, free))
	}
}

// noSpace is the error for a disk that is too small.
func noSpace(dir string, need, free int64) error {
	return explain(fmt.Errorf("at least %s are needed and %s are free: %w", progress.Size(need), progress.Size(free), unix.ENOSPC), dir)
}

// volumeLimit is the number of bytes of a volume, where files have at most most
// bytes if they are limited.
func volumeLimit(wanted, most int64, limited bool) (int64, error) {
	const whole = 1 << 20
	if wanted < 0 {
		return 0, fmt.Errorf("volumes of %d bytes cannot be", wanted)
	}
	switch {
	case !limited:
		return wanted, nil
	case wanted > most:
		return 0, hint.With(fmt.Errorf("volumes of %d bytes do not fit on FAT, which holds files of up to %d", wanted, most), "--volume-size 3900M fits")
	case wanted == 0:
		return most / whole * whole, nil
	}
	return wanted, nil
}

// requireSpace compares the frames that are packed already with what is free.
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
			continue // Create will say, or do without
		}
		p, err := readPacked(f)
		if err == nil {
			need += p.Compressed
		}
		_ = f.Close() // only reads went through it
	}
	if need <= free {
		return nil
	}
	return noSpace(filepath.Dir(path), need, free)
}

// explain adds what a user can do about a disk that does not take the archive.
func explain(err error, dir string) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hint.With(err, "df -h %s shows the disk; remove old archives there, or write elsewhere with -o DIR", shellWord(dir))
	case errors.Is(err, unix.EROFS):
		return hint.With(err, "%s is mounted read-only: look for its write-protect switch, or mount -o remount,rw it, or write elsewhere with -o DIR", dir)
	case errors.Is(err, unix.EFBIG):
		return hint.With(err, "the disk of %s cannot hold such a large file: --volume-size 3900M splits it", dir)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return hint.With(err, "ls -ld %s shows whose it is; write elsewhere with -o DIR", shellWord(dir))
	}
	return err
}

// shellWord quotes s where a shell would split it.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t\n'\"\\$`&;|<>()*?[]#~=%!{}") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
