package repodata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// maxBundled bounds the primary.xml of a bundle, decompressed: 20,000 packages
// have 100 MB.
const maxBundled = 128 << 20

// ReadBundled reads the primary.xml of a repository that Write wrote into the
// folder root of fsys, and calls fn as ReadPrimary does. repomd.xml is not asked:
// the files of a bundle are known by its index. It reads gzip alone, so that a
// program which reads nothing else links no other decompressor.
func ReadBundled(ctx context.Context, fsys fs.FS, root string, fn func(*Package) error) error {
	dir := path.Join(root, "repodata")
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "primary.xml.gz") {
			return readBundled(ctx, fsys, path.Join(dir, e.Name()), fn)
		}
	}
	return errors.New("it has no primary.xml.gz")
}

func readBundled(ctx context.Context, fsys fs.FS, name string, fn func(*Package) error) (err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := newDecompressor(path.Base(name), f, maxBundled)
	if err := d.gzip(); err != nil {
		return fmt.Errorf("cannot decompress %s: %w", d.name, err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return ReadPrimary(ctx, d, fn)
}
