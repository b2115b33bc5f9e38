package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"kubecrate/pkg/hint"
)

type tarred struct {
	names []string
	data  map[string][]byte
}

func untar(r io.Reader) (tarred, error) {
	out := tarred{data: map[string][]byte{}}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			return out, err
		}
		out.names = append(out.names, h.Name)
		out.data[h.Name] = body
	}
}

func TestWriteDocker(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	var all bytes.Buffer
	names := []string{"docker.io/library/nginx:1.14-alpine", "k8s.gcr.io/kube-apiserver:v1.17.4", "nginx:1.14-alpine"}
	if err := WriteDocker(t.Context(), &all, fsys, names); err != nil {
		t.Fatal(err)
	}
	got, err := untar(bytes.NewReader(all.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	// two configs, base once, api, empty once, nginx, the list
	if len(got.names) != 7 || got.names[6] != dockerFile {
		t.Errorf("members: %q", got.names)
	}
	var list []dockerEntry
	if err := json.Unmarshal(got.data[dockerFile], &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].RepoTags[0] != "k8s.gcr.io/kube-apiserver:v1.17.4" || list[1].RepoTags[0] != "nginx:1.14-alpine" {
		t.Errorf("list: %+v", list)
	}
	for _, ref := range []string{"k8s.gcr.io/kube-apiserver:v1.17.4", "nginx:1.14-alpine"} {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		img, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(all.Bytes())), nil }, &tag)
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestWriteOCI(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	var all bytes.Buffer
	if err := WriteOCI(t.Context(), &all, fsys, []string{images[2].Name, images[3].Name}); err != nil {
		t.Fatal(err)
	}
	got, err := untar(&all)
	if err != nil {
		t.Fatal(err)
	}
	if got.names[0] != layoutFile || got.names[len(got.names)-1] != indexFile {
		t.Errorf("members: %q", got.names)
	}
	sub := fstest.MapFS{Dir + "/" + dockerFile: fsys[Dir+"/"+dockerFile]}
	for name, data := range got.data {
		sub[Dir+"/"+name] = &fstest.MapFile{Data: data}
	}
	if err := Validate(t.Context(), sub, nil); err == nil || !strings.Contains(err.Error(), "lists 3 images, index.json lists 1") {
		t.Errorf("all but docker's list is whole: %v", err)
	}
	if err := WriteOCI(t.Context(), io.Discard, fsys, nil); err != nil {
		t.Errorf("all images: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	var out bytes.Buffer
	err := WriteDocker(t.Context(), &out, fsys, []string{"nginx:1.15"})
	if err == nil || !strings.Contains(err.Error(), "in the archive") || !strings.Contains(hint.Of(err), "nginx:1.14-alpine") {
		t.Errorf("absent image: %v, hint %q", err, hint.Of(err))
	}
	if err := WriteDocker(t.Context(), &out, fsys, []string{images[3].Name}); err == nil || !strings.Contains(err.Error(), "zstd") {
		t.Errorf("zstd layers for docker: %v", err)
	}
	short := clone(fsys)
	delete(short, blobPath(images[0].Layers[1].DiffID))
	if err := WriteDocker(t.Context(), &out, short, nil); err == nil {
		t.Error("a missing layer was not noticed")
	}
	if err := WriteOCI(t.Context(), &out, short, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("a missing layer: %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("%d bytes were written before a known error", out.Len())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if err := WriteOCI(ctx, &out, fsys, nil); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
}

// A damaged layer never arrives whole, and neither does what names the images.
func TestWriteDamaged(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 300_000, 700_000} {
		r := newRegistry()
		img := r.image(t, "a:1", "a", r.layer(t, DockerLayer+".gzip", tarOf(t, "x", size)), r.layer(t, DockerLayer+".gzip", tarOf(t, "y", 10)))
		fsys := r.archive(t, img)
		victim := blobPath(img.Layers[0].DiffID)
		data := bytes.Clone(fsys[victim].Data)
		data[len(data)-2000] ^= 1
		fsys[victim] = &fstest.MapFile{Data: data}
		for name, write := range map[string]func(context.Context, io.Writer, fs.FS, []string) error{"docker": WriteDocker, "oci": WriteOCI} {
			var out bytes.Buffer
			err := write(t.Context(), &out, fsys, nil)
			if err == nil || !strings.Contains(err.Error(), victim) {
				t.Errorf("%s %d: %v, want %s named", name, size, err, victim)
			}
			got, err := untar(&out)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s %d: the reader sees %v", name, size, err)
			}
			if slices.Contains(got.names, strings.TrimPrefix(victim, Dir+"/")) || slices.Contains(got.names, dockerFile) || slices.Contains(got.names, indexFile) {
				t.Errorf("%s %d: arrived: %q", name, size, got.names)
			}
		}
	}
}

// endFS gives an error instead of the end of one file, as an archive does for
// a damaged member.
type endFS struct {
	fs.FS
	name string
}

type endFile struct{ fs.File }

func (e endFS) Open(name string) (fs.File, error) {
	f, err := e.FS.Open(name)
	if err == nil && name == e.name {
		f = endFile{f}
	}
	return f, err
}

func (e endFile) Read(p []byte) (int, error) {
	n, err := e.File.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

func TestDamageOfTheFileSystemIsKept(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := endFS{r.archive(t, images...), blobPath(images[1].Layers[2].DiffID)}
	if err := WriteDocker(t.Context(), io.Discard, fsys, []string{images[1].Name}); !errors.Is(err, errBroken) {
		t.Errorf("docker: %v", err)
	}
	if err := Validate(t.Context(), fsys, nil); !errors.Is(err, errBroken) {
		t.Errorf("validate: %v", err)
	}
}

// orderedFS lies about nothing but where its files stand.
type orderedFS struct {
	fstest.MapFS
	offsets map[string]int64
}

func (o orderedFS) Offset(name string) (int64, bool) { at, ok := o.offsets[name]; return at, ok }

func TestWriteInOrderOfTheArchive(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := orderedFS{r.archive(t, images[:3]...), map[string]int64{}}
	paths := []string{}
	for p := range fsys.MapFS {
		if strings.Contains(p, "/blobs/") {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for i, p := range paths {
		fsys.offsets[p] = int64(i)
	}
	var out bytes.Buffer
	if err := WriteDocker(t.Context(), &out, fsys, nil); err != nil {
		t.Fatal(err)
	}
	got, err := untar(&out)
	if err != nil {
		t.Fatal(err)
	}
	if blobs := got.names[:len(got.names)-1]; !slices.IsSorted(blobs) || len(blobs) != 9 {
		t.Errorf("not in order: %q", blobs)
	}
}

// TestList: an image's manifest is read where the image is asked for, and only
// there.
func TestList(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	all, err := List(fsys, nil)
	if err != nil || len(all) != len(images) {
		t.Fatalf("%d images, %v", len(all), err)
	}
	for i, img := range images {
		if got := all[i]; got.Ref.String() != img.Name || got.Config != img.Config.Digest || got.Upstream != img.Digest || len(got.Blobs) != 1+len(img.Layers) {
			t.Errorf("%s: %+v", img.Name, got)
		}
	}
	if all[2].Manifest != images[2].Digest || all[0].Manifest == images[0].Digest {
		t.Error("an image that keeps its digest has it, and no other")
	}
	delete(fsys, blobPath(all[0].Manifest))
	if one, err := List(fsys, []string{"docker.io/nginx:1.14-alpine"}); err != nil || len(one) != 1 || one[0].Ref.Full() != "docker.io/library/nginx:1.14-alpine" {
		t.Errorf("nginx, beside an image whose manifest is missing: %+v, %v", one, err)
	}
	if _, err := List(fsys, nil); err == nil || !strings.Contains(err.Error(), images[0].Name) {
		t.Errorf("all, with a manifest missing: %v", err)
	}
	if _, err := List(fsys, []string{"redis:6"}); err == nil || hint.Of(err) == "" {
		t.Errorf("an image that is not there: %v", err)
	}
}
