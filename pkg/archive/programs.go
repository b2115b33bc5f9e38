package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"kubecrate/pkg/media"
)

// ReadPrograms hashes the installers in dir, each opened once. A link is a
// *media.Error. tap is as for Digest.
func ReadPrograms(ctx context.Context, dir string, tap func() io.Writer) ([]FileDigest, error) {
	const most = 16 // architectures
	d := media.At(dir)
	names, err := d.List(".", most, IsProgram)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return nil, fmt.Errorf("cannot find programs: %w", err)
	}
	// List returns only regular files: anything else under a name that a person would run is an error.
	for _, name := range []string{ProgramName, programFor + "amd64", programFor + "arm64"} {
		if !slices.Contains(names, name) {
			if _, err := d.Stat(name); errors.Is(err, media.ErrLink) {
				return nil, fmt.Errorf("cannot verify a program beside the archive: %w", err)
			}
		}
	}
	var list []FileDigest
	for _, name := range names {
		p, err := readProgram(ctx, d, name, tap)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		list = append(list, p)
	}
	return list, err
}

func readProgram(ctx context.Context, d media.Dir, name string, tap func() io.Writer) (p FileDigest, err error) {
	f, err := d.Open(name)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return p, err
	}
	p = FileDigest{Name: name, Size: info.Size()}
	sum := sha256.New()
	to := io.Writer(sum)
	if tap != nil {
		p.Tap = tap()
		to = io.MultiWriter(sum, p.Tap)
	}
	if err := copyAll(ctx, to, f, "hash", name, p.Size, nil); err != nil {
		return p, err
	}
	p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}
