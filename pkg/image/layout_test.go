package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/manifest"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	files, err := Layout(images, r.get, r.size)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Layout(images, r.get, r.size)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files.Small {
		if again.Small[i].Path != f.Path || !bytes.Equal(again.Small[i].Content, f.Content) {
			t.Errorf("%s is not the same twice", f.Path)
		}
		if i < 3 && f.Roles != nil {
			t.Errorf("%s is not for every role: %v", f.Path, f.Roles)
		}
	}
	// base, api, empty, nginx, base and flannel as they are, zstandard as it is
	if len(files.Layers) != 7 {
		t.Errorf("%d layers, want 7", len(files.Layers))
	}
	roles := map[string][]manifest.Role{}
	for _, l := range files.Layers {
		roles[l.Digest] = l.Roles
	}
	for digest, want := range map[string][]manifest.Role{
		images[0].Layers[0].DiffID: nil, // master and node: everybody
		images[0].Layers[1].DiffID: {manifest.Master},
		images[1].Layers[1].DiffID: {manifest.Node},
		images[2].Layers[0].Digest: nil,
	} {
		if got, ok := roles[digest]; !ok || !slices.Equal(got, want) {
			t.Errorf("%s: roles %v, %v, want %v", digest, got, ok, want)
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(files.Small[1].Content, &index); err != nil {
		t.Fatal(err)
	}
	first := index.Manifests[0]
	if first.Annotations[annotationRefName] != "k8s.gcr.io/kube-apiserver:v1.17.4" || first.Annotations[annotationUpstream] != images[0].Digest ||
		index.Manifests[1].Annotations[annotationFullName] != "docker.io/library/nginx:1.14-alpine" {
		t.Errorf("annotations: %v, %v", first.Annotations, index.Manifests[1].Annotations)
	}
	if kept := index.Manifests[2]; kept.Digest.String() != images[2].Digest || kept.MediaType != DockerManifest {
		t.Errorf("flannel did not keep its digest: %+v", kept)
	}
	var docker []dockerEntry
	if err := json.Unmarshal(files.Small[2].Content, &docker); err != nil {
		t.Fatal(err)
	}
	if len(docker) != 3 || docker[0].RepoTags[0] != "k8s.gcr.io/kube-apiserver:v1.17.4" || docker[1].Layers[1] != docker[1].Layers[3] {
		t.Errorf("docker's list: %+v", docker)
	}
	if docker[0].Config != blobName(images[0].Config.Digest) {
		t.Errorf("the image ID changed: %s, not %s", docker[0].Config, images[0].Config.Digest)
	}
}

func TestLayersSharedBetweenPlainAndPacked(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	raw := tarOf(t, "x", 1000)
	packed := r.image(t, "a:1", "a", r.layer(t, DockerLayer+".gzip", raw))
	packed.Roles = []manifest.Role{manifest.Master}
	kept := r.image(t, "b:1", "b", r.layer(t, OCILayer, raw))
	kept.KeepDigest, kept.Roles = true, []manifest.Role{manifest.Master}
	layers, err := Layers([]manifest.LockedImage{packed, kept})
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 || !layers[0].Verbatim || layers[0].Image.Name != "b:1" || layers[0].Size != int64(len(raw)) || !slices.Equal(layers[0].Roles, packed.Roles) {
		t.Errorf("%+v", layers)
	}
	if err := Validate(t.Context(), r.archive(t, packed, kept), nil); err != nil {
		t.Error(err)
	}
}

func TestLayoutErrors(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(r *registry, img []manifest.LockedImage) []manifest.LockedImage{
		"it is listed twice": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage { return append(img, img[0]) },
		"must be written nginx:1": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Name = "docker.io/library/nginx:1"
			return img
		},
		"is not a digest": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Config.Digest = "../../etc/passwd"
			return img
		},
		"digest is sha256": func(r *registry, img []manifest.LockedImage) []manifest.LockedImage {
			r.blobs[img[0].Config.Digest] = []byte("{}")
			return img
		},
		"file does not exist": func(r *registry, img []manifest.LockedImage) []manifest.LockedImage {
			delete(r.blobs, img[0].Config.Digest)
			return img
		},
		"diffID of layer 1 is": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Layers[0], img[0].Layers[1] = img[0].Layers[1], img[0].Layers[0]
			return img
		},
		"2 diffIDs for 1 layers": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Layers = img[0].Layers[:1]
			return img
		},
		"platform \"linux\" is not": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Platform = "linux"
			return img
		},
		"is encrypted": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Layers[0].MediaType = OCILayer + "+gzip+encrypted"
			return img
		},
		"layer 1 of its manifest differs from the lock": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[2].Layers[0].Size++
			return img
		},
		"size of layer": func(r *registry, img []manifest.LockedImage) []manifest.LockedImage {
			clear(r.raw)
			return img
		},
		"size -1 is negative": func(_ *registry, img []manifest.LockedImage) []manifest.LockedImage {
			img[0].Layers[0].Size = -1
			return img
		},
	} {
		r, images := sample(t)
		if _, err := Layout(change(r, images), r.get, r.size); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	m, n, s := manifest.Master, manifest.Node, manifest.Single
	for _, c := range []struct {
		have, more []manifest.Role
		first      bool
		want       []manifest.Role
	}{
		{nil, []manifest.Role{m}, true, []manifest.Role{m}},
		{nil, []manifest.Role{m}, false, nil},
		{[]manifest.Role{m}, nil, false, nil},
		{nil, nil, true, nil},
		{[]manifest.Role{n}, []manifest.Role{n}, false, []manifest.Role{n}},
		{[]manifest.Role{n}, []manifest.Role{m}, false, nil},
		{nil, []manifest.Role{s, m}, true, []manifest.Role{m, s}},
	} {
		if got := roles(c.have, c.more, c.first); !slices.Equal(got, c.want) {
			t.Errorf("%v and %v: %v, want %v", c.have, c.more, got, c.want)
		}
	}
}

// extract writes an archive's images to disk and gives the layout's directory.
func extract(t testing.TB, fsys fs.FS) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, fsys); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, Dir)
}

// The validator always takes layers for gzip, so it checks the description here
// and the layers are compared with the configs one by one.
func TestLayoutIsValidOCI(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	index, err := layout.ImageIndexFromPath(extract(t, r.archive(t, images...)))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for i, desc := range list.Manifests {
		img, err := index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := img.Layers()
		if err != nil || len(layers) != len(images[i].Layers) {
			t.Fatalf("%s: %d layers, %v", images[i].Name, len(layers), err)
		}
		for n, l := range layers {
			raw, err := l.Uncompressed()
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := v1.SHA256(raw); err != nil || got.String() != images[i].Layers[n].DiffID {
				t.Errorf("%s: layer %d unpacks to %s, %v, not %s", images[i].Name, n+1, got, err, images[i].Layers[n].DiffID)
			}
			if err := raw.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLayoutBytes holds what an archive has of one image to the bytes that the
// first releases wrote: a lock gives the same archive with every release.
func TestLayoutBytes(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	layer := r.layer(t, OCILayer, []byte("a tar"))
	img := r.image(t, "nginx:1.14-alpine", "nginx", layer)
	img.Platform = "linux/arm/v7"
	files, err := Layout([]manifest.LockedImage{img}, r.get, r.size)
	if err != nil {
		t.Fatal(err)
	}
	doc := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` +
		img.Config.Digest + fmt.Sprintf(`","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"`, img.Config.Size) + layer.DiffID + `","size":5}]}`
	index := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` +
		digestOf([]byte(doc)) + fmt.Sprintf(`","size":%d,"annotations":{"dev.kubecrate.upstream.digest":"`, len(doc)) + img.Digest +
		`","io.containerd.image.name":"docker.io/library/nginx:1.14-alpine","org.opencontainers.image.ref.name":"nginx:1.14-alpine"},"platform":{"architecture":"arm","os":"linux","variant":"v7"}}]}`
	want := []string{
		`{"imageLayoutVersion":"1.0.0"}`, index,
		`[{"Config":"` + blobName(img.Config.Digest) + `","RepoTags":["nginx:1.14-alpine"],"Layers":["` + blobName(layer.DiffID) + `"]}]`, doc,
	}
	for i, w := range want {
		if got := string(files.Small[i].Content); got != w {
			t.Errorf("%s:\n%s\nwant\n%s", files.Small[i].Path, got, w)
		}
	}
}
