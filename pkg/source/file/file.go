// Package file pins the single files of a manifest: what a URL or a path holds
// becomes a size, a sha256 and a blob in the store.
package file

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/source"
)

// MaxSize is the largest file that is carried, in bytes. Large content belongs
// in images and packages.
const MaxSize = 64 << 20

// Resolve brings mf into f's store and says what it is. Its URL is https, http,
// file, or a path relative to dir. A file that the manifest pins is taken from
// the store if it is there; the others are read anew each time. Content that is
// not the pinned one is a *store.DigestError.
func Resolve(ctx context.Context, f *source.Fetcher, mf manifest.File, dir string) (manifest.LockedFile, error) {
	b := source.Blob{
		Name: mf.Path, Size: -1, Limit: MaxSize, Locations: locations(mf.URL, dir),
		Hint: fmt.Sprintf("compare %s with what its makers publish, then put its sha256 into the manifest", mf.URL),
	}
	if mf.SHA256 != "" {
		b.Digest = "sha256:" + mf.SHA256
	}
	res, err := f.Fetch(ctx, b)
	if err == nil && res.Size > MaxSize { // it was in the store before
		err = fmt.Errorf("cannot fetch %s: %w", mf.Path, &source.LimitError{Size: res.Size, Limit: MaxSize})
	}
	var large *source.LimitError
	if errors.As(err, &large) {
		err = hint.With(err, "a file may have %d MiB: put larger content into an image (images.list) or an RPM, or copy it to the stick, beside the archive", MaxSize>>20)
	}
	if err != nil {
		return manifest.LockedFile{}, err
	}
	return manifest.LockedFile{
		Path: mf.Path, URL: mf.URL, Size: res.Size, SHA256: strings.TrimPrefix(res.Digest, "sha256:"), Roles: mf.Roles,
	}, nil
}

// Blob is what the lock pins, to be fetched; dir is where a relative path of
// its manifest starts.
func Blob(l manifest.LockedFile, dir string) source.Blob {
	return source.Blob{Name: l.Path, Digest: "sha256:" + l.SHA256, Size: l.Size, Limit: MaxSize, Locations: locations(l.URL, dir), Gone: gone}
}

// gone is the hint where a locked file is no longer there.
const gone = "it is no longer there: name another url for it in the manifest; bundle lock MANIFEST pins it"

// locations turns a URL of a manifest into the one place where it is.
func locations(url, dir string) []source.Location {
	if !strings.Contains(url, "://") && !filepath.IsAbs(url) {
		path := filepath.Join(dir, filepath.FromSlash(url))
		// Abs fails only where the working directory is gone; then reading fails, too.
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		url = path
	}
	return []source.Location{{URL: url}}
}
