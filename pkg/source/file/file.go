// Package file pins the single files of a manifest: what a URL or a path holds
// becomes a size, a sha256 and a blob in the store.
package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/source"
)

// MaxSize is the largest file that is carried, in bytes. Large content belongs
// in images and packages.
const MaxSize = 64 << 20

// Resolve brings mf into f's store and says what it is. Its places are embedded,
// https, http, file, or paths relative to dir, and are tried in order; what is
// embedded is at hand, and no other place is asked. A file that the manifest pins is taken from
// the store if it is there; the others are read anew each time. Content that is
// not the pinned one is a *store.DigestError.
func Resolve(ctx context.Context, f *source.Fetcher, mf manifest.File, dir string) (manifest.LockedFile, error) {
	text, err := mf.URL.Embedded()
	if err != nil {
		return manifest.LockedFile{}, fmt.Errorf("cannot take %s: %w", mf.Path, err)
	}
	if text != nil {
		return embedded(ctx, f, mf, text)
	}
	b := source.Blob{
		Name: mf.Path, Size: -1, Limit: MaxSize, Locations: locations(mf.URL, dir),
		Hint: fmt.Sprintf("compare %s with what its makers publish, then put its sha256 into the manifest", mf.URL[0]),
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
		Path: mf.Path, URL: mf.URL.Origin(), Size: res.Size, SHA256: strings.TrimPrefix(res.Digest, "sha256:"), Roles: mf.Roles,
	}, nil
}

// embedded puts an embedded file into f's store.
func embedded(ctx context.Context, f *source.Fetcher, mf manifest.File, text []byte) (manifest.LockedFile, error) {
	digest := ""
	if mf.SHA256 != "" {
		digest = "sha256:" + mf.SHA256
	}
	digest, size, err := f.Store().Put(ctx, bytes.NewReader(text), digest)
	if err != nil {
		return manifest.LockedFile{}, fmt.Errorf("cannot take the embedded %s: %w", mf.Path, err)
	}
	return manifest.LockedFile{
		Path: mf.Path, URL: mf.URL.Origin(), Size: size, SHA256: strings.TrimPrefix(digest, "sha256:"), Roles: mf.Roles,
	}, nil
}

// Fetch brings what the lock pins into f's store, from the place where it was found,
// one of those that mf has, or from this program; dir is where a relative path of its
// manifest starts. mf is nil where the manifest has no such file.
func Fetch(ctx context.Context, f *source.Fetcher, l manifest.LockedFile, mf *manifest.File, dir string) (digest string, err error) {
	places := manifest.URLs{l.URL}
	if mf != nil {
		for _, u := range mf.URL {
			if !slices.Contains(places, u) {
				places = append(places, u)
			}
		}
	}
	text, err := places.Embedded()
	if err != nil {
		return "", fmt.Errorf("cannot take %s: %w", l.Path, err)
	}
	if sum := sha256.Sum256(text); text != nil && hex.EncodeToString(sum[:]) == l.SHA256 {
		digest, _, err := f.Store().Put(ctx, bytes.NewReader(text), "sha256:"+l.SHA256)
		return digest, err
	}
	got, err := f.Fetch(ctx, source.Blob{
		Name: l.Path, Digest: "sha256:" + l.SHA256, Size: l.Size, Limit: MaxSize, Locations: locations(places, dir), Gone: gone,
	})
	return got.Digest, err
}

// gone is the hint where a locked file is no longer there.
const gone = "it is no longer there: name another url for it in the manifest; bundle lock MANIFEST pins it"

// locations are the places outside of this program, paths made absolute.
func locations(urls manifest.URLs, dir string) []source.Location {
	var list []source.Location
	for _, url := range urls.Outside() {
		if !strings.Contains(url, "://") && !filepath.IsAbs(url) {
			path := filepath.Join(dir, filepath.FromSlash(url))
			// Abs fails only where the working directory is gone; then reading fails, too.
			if abs, err := filepath.Abs(path); err == nil {
				path = abs
			}
			url = path
		}
		list = append(list, source.Location{URL: url})
	}
	return list
}
