// Package file pins the single files of a manifest: the content of a URL or a path
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

// MaxSize is the size limit of a file, in bytes. Large content belongs in images
// and packages.
const MaxSize = 64 << 20

// Resolve downloads mf into f's store and pins it. Its locations are embedded,
// https, http, file, or paths relative to dir, tried in order; if one is embedded,
// no other is used. A file that the manifest pins is taken from the store if it has
// it; others are downloaded each time. Content other than the pinned one is a
// *store.DigestError.
func Resolve(ctx context.Context, f *source.Fetcher, mf manifest.File, dir string) (manifest.LockedFile, error) {
	text, err := mf.URL.Embedded()
	if err != nil {
		return manifest.LockedFile{}, fmt.Errorf("cannot use %s: %w", mf.Path, err)
	}
	if text != nil {
		return embedded(ctx, f, mf, text)
	}
	b := source.Blob{
		Name: mf.Path, Size: -1, Limit: MaxSize, Locations: locations(mf.URL, dir),
		Hint: fmt.Sprintf("compare %s with the version that its authors publish, then write its sha256 to the manifest", mf.URL[0]),
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
		err = hint.With(err, "the limit is %d MiB: put larger content into an image (images.list) or an RPM, or copy it to the stick, next to the archive", MaxSize>>20)
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
		return manifest.LockedFile{}, fmt.Errorf("cannot use the embedded %s: %w", mf.Path, err)
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
		return "", fmt.Errorf("cannot use %s: %w", l.Path, err)
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

// gone is the hint if a locked file has disappeared.
const gone = "the file has disappeared: name another url in the manifest, then: bundle lock MANIFEST"

// locations are the places outside of this program, paths made absolute.
func locations(urls manifest.URLs, dir string) []source.Location {
	var list []source.Location
	for _, url := range urls.Outside() {
		if !strings.Contains(url, "://") && !filepath.IsAbs(url) {
			path := filepath.Join(dir, filepath.FromSlash(url))
			// Abs fails only if the working directory is gone; then reading fails, too.
			if abs, err := filepath.Abs(path); err == nil {
				path = abs
			}
			url = path
		}
		list = append(list, source.Location{URL: url})
	}
	return list
}
