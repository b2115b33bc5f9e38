package rpmrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/source"
)

// maxKey bounds a key file; the largest of a distribution is 10 KB.
const maxKey = 1 << 20

// Keyring reads the keys that packages of repo may be signed by. An entry of
// gpgkey is "embedded:NAME", a file of embedded; a URL; or a path, relative to
// dir. Where repo pins fingerprints, only those keys are in the keyring, and an
// entry that cannot be read does not matter as long as the others hold them all.
// A repository with gpgcheck off gives an empty keyring.
func Keyring(ctx context.Context, f *source.Fetcher, repo manifest.Repo, dir string, embedded fs.FS) (*rpm.Keyring, error) {
	if !repo.Checked() {
		return rpm.Merge(), nil
	}
	if len(repo.GPGKey) == 0 {
		return nil, hint.With(fmt.Errorf("cannot verify packages of repository %s: gpgcheck is on, but gpgkey is empty", repo.ID),
			"add gpgkey: [embedded:NAME] or a URL, and the fingerprints, to repository %s; or gpgcheck: false if you trust it unsigned", repo.ID)
	}
	var rings []*rpm.Keyring
	var failed []error
	for _, entry := range repo.GPGKey {
		ring, err := readKeys(ctx, f, repo.ID, entry, dir, embedded)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		rings = append(rings, ring)
	}
	all := rpm.Merge(rings...)
	if len(repo.Fingerprints) > 0 {
		pinned, err := all.Restrict(repo.Fingerprints)
		if err == nil {
			return pinned, nil
		}
		failed = append(failed, err)
	}
	if len(failed) > 0 {
		return nil, fmt.Errorf("cannot read keys of repository %s: %w", repo.ID, mirrorErrors(failed))
	}
	return all, nil
}

func readKeys(ctx context.Context, f *source.Fetcher, id, entry, dir string, embedded fs.FS) (*rpm.Keyring, error) {
	body, err := readKeyFile(ctx, f, id, entry, dir, embedded)
	if err != nil {
		return nil, err
	}
	ring, err := rpm.ReadKeyring(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("gpgkey %s: %w", entry, err)
	}
	return ring, nil
}

func readKeyFile(ctx context.Context, f *source.Fetcher, id, entry, dir string, embedded fs.FS) (body []byte, err error) {
	if name, ok := strings.CutPrefix(entry, "embedded:"); ok {
		body, err := fs.ReadFile(embedded, name)
		if err != nil {
			return nil, fmt.Errorf("gpgkey %s: %w", entry, err)
		}
		return body, nil
	}
	if strings.Contains(entry, "://") {
		body, _, err := f.Get(ctx, id+"/gpgkey", []source.Location{{URL: entry}}, maxKey)
		return body, err
	}
	path := filepath.FromSlash(entry)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gpgkey: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	body, err = io.ReadAll(io.LimitReader(file, maxKey+1))
	if err != nil {
		return nil, fmt.Errorf("gpgkey: %w", err)
	}
	if len(body) > maxKey {
		return nil, fmt.Errorf("gpgkey %s is larger than %d bytes", path, maxKey)
	}
	return body, nil
}
