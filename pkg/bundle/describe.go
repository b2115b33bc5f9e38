package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/sbom"
	"kubecrate/pkg/source/file"
	"kubecrate/pkg/version"
)

// describe makes the members that describe the others: the resolved manifest, its
// lock, the SBOM and the checksums of all members except index.json and the
// checksums themselves.
func (b *builder) describe(content []archive.Entry) ([]archive.Entry, error) {
	yaml, err := b.manifest.Marshal()
	if err != nil {
		return nil, err
	}
	lock, err := b.lock.Marshal()
	if err != nil {
		return nil, err
	}
	spdx, err := sbom.Document(b.lock, sum(lock), "kubecrate-"+version.String(), b.signers)
	if err != nil {
		return nil, err
	}
	meta := []archive.Entry{
		metaEntry("bundle.yaml", yaml),
		metaEntry("bundle.lock", lock),
		metaEntry("sbom.spdx.json", spdx),
	}
	var lines []string
	for _, e := range append(meta, content...) {
		lines = append(lines, e.SHA256+"  "+e.Path+"\n")
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][2*sha256.Size:] < lines[j][2*sha256.Size:] })
	return append(meta, metaEntry("SHA256SUMS", []byte(strings.Join(lines, "")))), nil
}

// files fetches the files of the lock.
func (b *builder) files(ctx context.Context) ([]archive.Entry, error) {
	entries := make([]archive.Entry, len(b.lock.Files))
	for i, f := range b.lock.Files {
		var listed *manifest.File
		for j := range b.manifest.Files {
			if b.manifest.Files[j].Path == f.Path {
				listed = &b.manifest.Files[j]
			}
		}
		digest, err := file.Fetch(ctx, b.fetcher, f, listed, b.manifest.Dir())
		if err != nil {
			return nil, err
		}
		entries[i], err = b.stored(ctx, digest, manifest.KindFile)
		if err != nil {
			return nil, err
		}
		entries[i].Path, entries[i].Roles = f.Path, f.Roles
	}
	return entries, nil
}

// contentEntry is a small member held in memory; size and hash follow from the
// content.
func contentEntry(a manifest.Artifact, content []byte) archive.Entry {
	a.Size, a.SHA256 = int64(len(content)), sum(content)
	return archive.Entry{
		Artifact: a,
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// metaEntry describes the bundle.
func metaEntry(path string, content []byte) archive.Entry {
	return contentEntry(manifest.Artifact{Path: path, Kind: manifest.KindMeta}, content)
}

// fileEntry is a member that is a file of this machine.
func fileEntry(name, path string, kind manifest.Kind) (e archive.Entry, err error) {
	open := func() (io.ReadCloser, error) { return os.Open(name) }
	f, err := open()
	if err != nil {
		return e, fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return e, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return archive.Entry{
		Artifact: manifest.Artifact{Path: path, Size: size, SHA256: hex.EncodeToString(h.Sum(nil)), Kind: kind},
		Open:     open,
	}, nil
}

// memoryFiles collects small files that a writer makes, in their order.
type memoryFiles struct{ list []*memoryFile }

type memoryFile struct {
	bytes.Buffer
	name string
}

func (*memoryFile) Close() error { return nil }

func (m *memoryFiles) create(name string) (io.WriteCloser, error) {
	f := &memoryFile{name: name}
	m.list = append(m.list, f)
	return f, nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// hexOf is the hex part of a digest.
func hexOf(digest string) string {
	_, h, _ := strings.Cut(digest, ":")
	return h
}
