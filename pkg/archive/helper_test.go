package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"kubecrate/manifest"
)

// text is n bytes that compress about as well as programs do.
func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([][]byte, 500)
	for i := range words {
		words[i] = make([]byte, 3+r.IntN(20))
		for k := range words[i] {
			words[i][k] = byte(r.IntN(256))
		}
	}
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(words[int(r.ExpFloat64()*60)%len(words)])
	}
	return b.Bytes()[:n]
}

// member is an entry with that content.
func member(path string, content []byte, kind manifest.Kind, roles ...manifest.Role) Entry {
	sum := sha256.Sum256(content)
	return Entry{
		Artifact: manifest.Artifact{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Kind: kind, Roles: roles},
		Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// readCloser is a packed file in memory.
type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// compressed is an entry whose content was packed before; Open fails the test.
func compressed(t testing.TB, p *Packer, e Entry) Entry {
	t.Helper()
	f, err := e.Open()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := p.Pack(t.Context(), &b, f); err != nil {
		t.Fatal(err)
	}
	e.Packed = func() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(b.Bytes())}, nil }
	e.Open = func() (io.ReadCloser, error) { return nil, fmt.Errorf("%s was opened although it is packed", e.Path) }
	return e
}

// sample is an archive of every sort of member; scale multiplies the sizes of
// large ones.
func sample(scale int) []Entry {
	return []Entry{
		member("bundle.yaml", []byte("kind: Bundle\n"), manifest.KindMeta),
		member("empty", nil, manifest.KindMeta),
		member("SHA256SUMS", text(1, 512), manifest.KindMeta),
		member("bin/install-linux-amd64", text(2, 300_000*scale), manifest.KindBinary),
		member("rpms/a-1.0-1.x86_64.rpm", text(3, 70_001), manifest.KindRPM),
		member("rpms/b-1.0-1.x86_64.rpm", text(4, 10_001), manifest.KindRPM),
		member("rpms/repodata/repomd.xml", text(5, 2_000), manifest.KindRepodata),
		member("images/index.json", []byte("{}"), manifest.KindImage),
		member("images/blobs/sha256/"+fmt.Sprintf("%064d", 1), text(6, 1_500_000*scale), manifest.KindImage, manifest.Master),
		member("images/blobs/sha256/"+fmt.Sprintf("%064d", 2), text(6, 900_000*scale), manifest.KindImage),
		member("images/blobs/sha256/"+fmt.Sprintf("%064d", 3), text(7, 1_100_000*scale), manifest.KindImage, manifest.Master),
		member("images/blobs/sha256/"+fmt.Sprintf("%064d", 4), text(8, 5_000), manifest.KindImage, manifest.Master),
		member("manifests/"+string(bytes.Repeat([]byte("long/"), 30))+"name.yml", text(9, 3_000), manifest.KindFile),
		member("manifests/"+string(bytes.Repeat([]byte("very/long-"), 30))+"näme.yml", text(10, 3_000), manifest.KindFile),
	}
}

func options(l Level) CreateOptions {
	return CreateOptions{Name: "test", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: l}
}

// create makes an archive in memory.
func create(t testing.TB, l Level, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Create(context.Background(), &b, options(l), entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, data []byte) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contentOf is the content of an entry of member.
func contentOf(e Entry) []byte {
	f, err := e.Open()
	if err != nil {
		panic(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		panic(err)
	}
	return b
}

// tool is the path of a stock program. Without it the test is skipped, in the
// lab it fails.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("KUBECRATE_LAB") == "1" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}

func levels() []Level { return []Level{Fast, Default, Better, Best} }
