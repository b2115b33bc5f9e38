package archive

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
)

// What attack_test.go needs to make what this package never makes.

// SampleSize is that of all members of SampleMembers but the last, which is
// large enough to be read from the middle.
const SampleSize = ownFrames + 1000

// SampleMembers are some members; another seed gives other contents.
func SampleMembers(seed uint64) (entries []Entry, contents [][]byte) {
	for i, m := range []struct {
		path string
		size int
	}{{"bin/install-linux-amd64", SampleSize}, {"images/blobs/one", SampleSize}, {"images/blobs/two", SampleSize}, {"images/blobs/large", 3 << 20}} {
		content := text(seed+uint64(i), m.size)
		contents = append(contents, content)
		entries = append(entries, member(m.path, content, manifest.KindFile))
	}
	return entries, contents
}

// Forged is an archive under an attacker's hands: what index.json says and what
// the tar stream holds need not fit together, every checksum of zstd and of
// this format is right.
type Forged struct {
	Index    *Index
	Headers  [][]byte // nil: what the index says
	Contents [][]byte
}

// Forge is an archive of entries that can be changed before Bytes.
func Forge(entries []Entry, contents [][]byte) *Forged {
	f := &Forged{
		Index:    &Index{Version: Version, Name: "x", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: Fast.String()},
		Headers:  make([][]byte, len(entries)),
		Contents: slices.Clone(contents),
	}
	for _, e := range entries {
		f.Index.Members = append(f.Index.Members, Member{Artifact: e.Artifact})
	}
	return f
}

// Header is the tar header that the index's member i has; a change of it by
// patch gets the right checksum.
func (f *Forged) Header(i int, patch func([]byte)) {
	b := header(f.Index.Members[i].Artifact)
	patch(b)
	copy(b[148:156], "        ")
	var sum int64
	for _, c := range b {
		sum += int64(c)
	}
	octal(b[148:155], sum)
	f.Headers[i] = b
}

// Bytes is the archive: index.json, then a frame for every member.
func (f *Forged) Bytes(t testing.TB) []byte {
	t.Helper()
	index, err := encodeIndex(f.Index)
	if err != nil {
		t.Fatal(err)
	}
	return f.Around(t, index)
}

// Around is the archive with this text as its index.json.
func (f *Forged) Around(t testing.TB, index []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var frames []frame
	add := func(decompressed []byte) {
		compressed := e.EncodeAll(decompressed, nil)
		out.Write(compressed)
		frames = append(frames, describe(compressed, len(decompressed)))
	}
	add(append(header(indexArtifact(int64(len(index)))), index...))
	for i, content := range f.Contents {
		head := f.Headers[i]
		if head == nil {
			head = header(f.Index.Members[i].Artifact)
		}
		decompressed := append(bytes.Clone(head), content...)
		add(append(decompressed, make([]byte, roundUp(int64(len(content)))-int64(len(content)))...))
	}
	add(make([]byte, 2*blockSize))
	out.Write(newTable(frames).trailer())
	return out.Bytes()
}

// Add adds a member.
func (f *Forged) Add(path, content string) {
	f.Index.Members = append(f.Index.Members, Member{Artifact: member(path, []byte(content), manifest.KindFile).Artifact})
	f.Contents = append(f.Contents, []byte(content))
	f.Headers = append(f.Headers, nil)
}

// Remove removes member i.
func (f *Forged) Remove(i int) {
	f.Index.Members = slices.Delete(f.Index.Members, i, i+1)
	f.Contents = slices.Delete(f.Contents, i, i+1)
	f.Headers = slices.Delete(f.Headers, i, i+1)
}

// Replace gives member i another content, of which the index knows only where
// told.
func (f *Forged) Replace(i int, content []byte, told bool) {
	f.Contents[i] = content
	if told {
		f.Index.Members[i].Artifact = member(f.Index.Members[i].Path, content, manifest.KindFile).Artifact
	}
}

// Bomb is an archive with a frame of 256 MiB, whose header says 64 KiB, as the
// index does.
func Bomb(t *testing.T) []byte {
	return bomb(t, 256<<20, func(b []byte, _ *frame) { copy(b[6:10], []byte{0, 0, 1, 0}) })
}

// Regions are where in the file things start: frame by frame, then the
// checksums and the seek table.
func (r *Reader) Regions() (frames []int64, checks, seek int64) {
	return r.table.at, r.table.checks, r.table.seek
}

// checkSidecar opens the archive at path, hashes it and compares its sidecar.
func checkSidecar(ctx context.Context, path string) (there bool, err error) {
	s, err := OpenSource(path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d, err := s.Digest(ctx, nil, nil)
	if err != nil {
		return false, err
	}
	return d.CheckSidecar(s.Base(), nil)
}
