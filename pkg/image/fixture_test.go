package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/manifest"
)

const aDigest = "sha256:485b610fefec7ff6c463ced9623314a04ed67e3945b9c08d7e53a47f6d108dc7"

// registry is a double of what a registry and a store hold, by digest.
type registry struct {
	blobs map[string][]byte
	raw   map[string][]byte // tars by diffID
}

func newRegistry() *registry {
	return &registry{blobs: map[string][]byte{}, raw: map[string][]byte{}}
}

func (r *registry) put(b []byte) string {
	d := digestOf(b)
	r.blobs[d] = b
	return d
}

func (r *registry) get(digest string) ([]byte, error) {
	b, ok := r.blobs[digest]
	if !ok {
		return nil, fmt.Errorf("%s: %w", digest, fs.ErrNotExist)
	}
	return b, nil
}

func (r *registry) size(diffID string) (int64, error) {
	b, ok := r.raw[diffID]
	if !ok {
		return 0, fs.ErrNotExist
	}
	return int64(len(b)), nil
}

// tarOf is a tar of one file whose content is size bytes that follow from seed.
func tarOf(t testing.TB, seed string, size int) []byte {
	t.Helper()
	content := make([]byte, 0, size+32)
	for i := 0; len(content) < size; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		content = append(content, sum[:]...)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: seed + ".bin", Mode: 0o644, Size: int64(size)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content[:size]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(b, nil)
}

// layer puts a layer into the registry, packed as its media type says.
func (r *registry) layer(t testing.TB, mediaType string, raw []byte) manifest.LockedLayer {
	t.Helper()
	packed := raw
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		packed = gz(t, raw)
	case strings.HasSuffix(mediaType, "zstd"):
		packed = zst(t, raw)
	}
	diffID := digestOf(raw)
	r.raw[diffID] = raw
	return manifest.LockedLayer{LockedBlob: manifest.LockedBlob{Digest: r.put(packed), Size: int64(len(packed))}, MediaType: mediaType, DiffID: diffID}
}

// image puts an image into the registry and locks it.
func (r *registry) image(t testing.TB, name, note string, layers ...manifest.LockedLayer) manifest.LockedImage {
	t.Helper()
	config := map[string]any{"architecture": "amd64", "os": "linux", "author": note, "config": map[string]any{"Cmd": []string{"/" + note}}}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: schemaVersion}, MediaType: DockerManifest, Layers: []ocispec.Descriptor{}}
	diffIDs := []string{}
	for _, l := range layers {
		diffIDs = append(diffIDs, l.DiffID)
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: l.MediaType, Digest: digest.Digest(l.Digest), Size: l.Size})
		if strings.HasPrefix(l.MediaType, OCILayer) {
			m.MediaType = OCIManifest
		}
	}
	config["rootfs"] = map[string]any{"type": "layers", "diff_ids": diffIDs}
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	m.Config = ocispec.Descriptor{MediaType: DockerConfig, Digest: digest.Digest(r.put(body)), Size: int64(len(body))}
	if m.MediaType == OCIManifest {
		m.Config.MediaType = OCIConfig
	}
	doc, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return manifest.LockedImage{
		Name: name, Source: name, Digest: r.put(doc), Platform: "linux/amd64", MediaType: m.MediaType, Size: int64(len(doc)),
		Config: manifest.LockedBlob{Digest: m.Config.Digest.String(), Size: m.Config.Size}, Layers: layers,
	}
}

// archive lays images out in a file system, as the builder does.
func (r *registry) archive(t testing.TB, images ...manifest.LockedImage) fstest.MapFS {
	t.Helper()
	files, err := Layout(images, r.get, r.size)
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for _, f := range files.Small {
		out[f.Path] = &fstest.MapFile{Data: f.Content, Mode: 0o644}
	}
	for _, l := range files.Layers {
		data := r.raw[l.Source.DiffID]
		if l.Verbatim {
			data = r.blobs[l.Source.Digest]
		}
		if int64(len(data)) != l.Size || digestOf(data) != l.Digest {
			t.Fatalf("layer %+v does not describe its content", l)
		}
		out[l.Path] = &fstest.MapFile{Data: data, Mode: 0o644}
	}
	return out
}

// sample has images that share layers, keep their digests, differ in roles.
func sample(t testing.TB) (*registry, []manifest.LockedImage) {
	t.Helper()
	r := newRegistry()
	base := tarOf(t, "base", 280_000)
	empty := make([]byte, 1024)
	a := r.image(t, "k8s.gcr.io/kube-apiserver:v1.17.4", "apiserver",
		r.layer(t, DockerLayer+".gzip", base), r.layer(t, DockerLayer+".gzip", tarOf(t, "api", 30_000)))
	a.Roles = []manifest.Role{manifest.Master}
	b := r.image(t, "nginx:1.14-alpine", "nginx",
		r.layer(t, OCILayer+"+zstd", base), r.layer(t, OCILayer+"+gzip", empty), r.layer(t, OCILayer, tarOf(t, "nginx", 10)), r.layer(t, OCILayer+"+gzip", empty))
	b.Roles = []manifest.Role{manifest.Node}
	c := r.image(t, "quay.io/coreos/flannel:v0.14.0", "flannel",
		r.layer(t, DockerLayer+".gzip", base), r.layer(t, DockerLayer+".gzip", tarOf(t, "flannel", 70_000)))
	c.KeepDigest = true
	d := r.image(t, "k8s.gcr.io/pinned@"+aDigest, "zstandard", r.layer(t, OCILayer+"+zstd", tarOf(t, "zstandard", 70_000)))
	d.KeepDigest = true
	return r, []manifest.LockedImage{a, b, c, d}
}

func clone(f fstest.MapFS) fstest.MapFS { return maps.Clone(f) }

// failing is a reader that ends with an error of its own.
type failing struct {
	data []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, f.err
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

var errBroken = errors.New("broken on purpose")
