package image

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	if err := Validate(t.Context(), fsys, nil); err != nil {
		t.Fatal(err)
	}
	if err := Validate(t.Context(), r.archive(t), nil); err != nil {
		t.Errorf("no images: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if err := Validate(ctx, fsys, nil); !errors.Is(err, errBroken) {
		t.Errorf("cancelled: %v", err)
	}
	whole := clone(fsys)
	for name, f := range whole {
		changed := bytes.Clone(f.Data)
		changed[len(changed)/2] ^= 0x55
		for title, data := range map[string][]byte{"changed": changed, "short": f.Data[:len(f.Data)-1], "long": append(bytes.Clone(f.Data), 'x'), "empty": nil} {
			fsys[name] = &fstest.MapFile{Data: data}
			err := Validate(t.Context(), fsys, nil)
			if err == nil {
				t.Errorf("%s %s: not noticed", name, title)
			} else if strings.Contains(name, "/blobs/") && !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: not named: %v", name, title, err)
			}
		}
		delete(fsys, name)
		if err := Validate(t.Context(), fsys, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s missing: %v", name, err)
		}
		fsys[name] = f
	}
}

func TestValidateDescription(t *testing.T) {
	t.Parallel()
	other := "sha256:" + strings.Repeat("0", 64)
	for title, c := range map[string]struct{ file, old, new, want string }{
		"version":         {layoutFile, "1.0.0", "2.0.0", "layout version"},
		"full name":       {indexFile, "docker.io/library/nginx:1.14-alpine", "evil.example/nginx:1.14-alpine", "not canonical"},
		"familiar name":   {indexFile, `"nginx:1.14-alpine"`, `"docker.io/library/nginx:1.14-alpine"`, "not canonical"},
		"twice":           {indexFile, "quay.io/coreos/flannel:v0.14.0", "k8s.gcr.io/kube-apiserver:v1.17.4", "twice"},
		"manifest type":   {indexFile, DockerManifest, OCIManifest, "its index entry of"},
		"not an index":    {indexFile, OCIIndex, DockerManifestList, "not an OCI index"},
		"no index":        {indexFile, `"manifests"`, `"other"`, "neither layers nor manifests"},
		"docker's tag":    {dockerFile, "nginx:1.14-alpine", "nginx:1.15-alpine", "entry 2"},
		"docker's config": {dockerFile, `"Config":"blobs/sha256/`, `"Config":"../blobs/sha256/`, "entry 1"},
		"docker's layer":  {dockerFile, `"Layers":["blobs/sha256/`, `"Layers":["` + other + `","blobs/sha256/`, "entry 1"},
		"docker's list":   {dockerFile, "[{", "[{},{", "lists 4 images"},
		"a path":          {indexFile, `"digest":"sha256:`, `"digest":"sha256:../`, "is not a digest"},
	} {
		r, images := sample(t)
		fsys := r.archive(t, images...)
		name := Dir + "/" + c.file
		before := string(fsys[name].Data)
		after := strings.Replace(before, c.old, c.new, -1)
		if after == before {
			t.Errorf("%s: nothing to replace in %s", title, before)
		}
		fsys[name] = &fstest.MapFile{Data: []byte(after)}
		if err := Validate(t.Context(), fsys, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", title, err, c.want)
		}
	}
}

// What was hashed before is not read again, unless it has to be unpacked.
func TestValidateKnown(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	hashes := map[string]string{}
	for name, f := range fsys {
		hashes[name] = strings.TrimPrefix(digestOf(f.Data), "sha256:")
	}
	sum := func(path string) (string, bool) { h, ok := hashes[path]; return h, ok }
	raw, packed := blobPath(images[0].Layers[1].DiffID), blobPath(images[2].Layers[1].Digest)
	if err := Validate(t.Context(), endFS{fsys, raw}, sum); err != nil {
		t.Errorf("a raw layer was read again: %v", err)
	}
	if err := Validate(t.Context(), endFS{fsys, packed}, sum); !errors.Is(err, errBroken) {
		t.Errorf("a packed layer was not read: %v", err)
	}
	hashes[raw] = strings.Repeat("0", 64)
	if err := Validate(t.Context(), endFS{fsys, raw}, sum); !errors.Is(err, errBroken) {
		t.Errorf("a raw layer of another hash was taken: %v", err)
	}
	delete(fsys, raw)
	if err := Validate(t.Context(), fsys, sum); err == nil || !strings.Contains(err.Error(), raw) {
		t.Errorf("missing: %v", err)
	}
}

// A config that gives a packed layer another diffID is found by unpacking.
func TestValidateDiffID(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	l := r.layer(t, DockerLayer+".gzip", tarOf(t, "x", 1000))
	l.DiffID = digestOf([]byte("something else"))
	img := r.image(t, "a:1", "a", l)
	img.KeepDigest = true
	err := Validate(t.Context(), r.archive(t, img), nil)
	if err == nil || !strings.Contains(err.Error(), "its diffID is") || !strings.Contains(err.Error(), "a:1") {
		t.Error(err)
	}
}

func FuzzLayout(f *testing.F) {
	r, images := sample(f)
	whole := r.archive(f, images...)
	f.Add(whole[Dir+"/"+indexFile].Data, whole[Dir+"/"+dockerFile].Data, r.blobs[images[2].Digest], r.blobs[images[2].Config.Digest])
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`), []byte(`[]`), []byte(`{"schemaVersion":1}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, index, docker, doc, config []byte) {
		fsys := clone(whole)
		fsys[Dir+"/"+indexFile] = &fstest.MapFile{Data: index}
		fsys[Dir+"/"+dockerFile] = &fstest.MapFile{Data: docker}
		fsys[blobPath(digestOf(doc))] = &fstest.MapFile{Data: doc}
		fsys[blobPath(digestOf(config))] = &fstest.MapFile{Data: config}
		bounded(t, slices.Concat(index, docker, doc, config), func() {
			_ = Validate(t.Context(), fsys, nil) // must return, whatever it says
			if d, err := ParseDocument(doc); err == nil && (d.Manifest == nil) == (d.Index == nil) {
				t.Fatal("a document is one of two things")
			}
			if c, err := ParseConfig(config); err == nil && len(c.RootFS.DiffIDs) > MaxLayers {
				t.Fatal("too many diffIDs")
			}
		})
	})
}
