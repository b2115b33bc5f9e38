package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/imageref"
)

// stored is an image of a layout: its entry in the index, and its manifest, whose
// digest was checked.
type stored struct {
	ref      imageref.Reference
	desc     ocispec.Descriptor
	manifest *ocispec.Manifest
	body     []byte
}

// blobs are the config and the layers.
func (img *stored) blobs() []ocispec.Descriptor {
	return append([]ocispec.Descriptor{img.manifest.Config}, img.manifest.Layers...)
}

// Info describes an image in an archive. Manifest is its digest in the archive,
// Upstream that of the registry's manifest, Config that of the config, which is
// docker's image ID. Blobs are its config and its layers.
type Info struct {
	Ref      imageref.Reference
	Manifest string
	Upstream string
	Config   string
	Blobs    []ocispec.Descriptor
}

// List describes the named images (all, without names) of the archive fsys, in
// archive order. Names may be in any form; one that is not in the archive is an
// error. Only the manifests of those images are read.
func List(fsys fs.FS, names []string) ([]Info, error) {
	images, err := openChosen(fsys, names)
	if err != nil {
		return nil, err
	}
	list := make([]Info, len(images))
	for i, img := range images {
		list[i] = Info{
			Ref: img.ref, Manifest: img.desc.Digest.String(), Upstream: img.desc.Annotations[annotationUpstream],
			Config: img.manifest.Config.Digest.String(), Blobs: img.blobs(),
		}
	}
	return list, nil
}

// open reads and checks the index and the manifests of all images, but not the
// configs and layers.
func open(fsys fs.FS) ([]stored, error) { return openChosen(fsys, nil) }

// openChosen is open for the named images: the manifests of others are not read.
func openChosen(fsys fs.FS, names []string) ([]stored, error) {
	images, err := openIndex(fsys)
	if err != nil {
		return nil, err
	}
	if images, err = choose(images, names); err != nil {
		return nil, err
	}
	for i := range images {
		if err := images[i].open(fsys); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// openIndex reads the images' names and digests.
func openIndex(fsys fs.FS) ([]stored, error) {
	var version ocispec.ImageLayout
	if err := readJSON(fsys, layoutFile, &version); err != nil {
		return nil, err
	}
	if version.Version != layoutVersion {
		return nil, fmt.Errorf("cannot read %s/%s: layout version %s is not %s", Dir, layoutFile, quoted(version.Version), layoutVersion)
	}
	body, err := read(fsys, path.Join(Dir, indexFile), MaxManifest)
	if err != nil {
		return nil, err
	}
	doc, err := ParseDocument(body)
	if err == nil && (doc.Index == nil || doc.MediaType != OCIIndex) {
		err = errors.New("it is not an OCI index")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s/%s: %w", Dir, indexFile, err)
	}
	var images []stored
	seen := map[string]bool{}
	for _, entry := range doc.Index.Manifests {
		ref, err := reference(entry.Descriptor)
		if err == nil {
			err = entry.Check()
		}
		if err == nil && seen[ref.String()] {
			err = fmt.Errorf("it names %s twice", ref)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s/%s: %w", Dir, indexFile, err)
		}
		seen[ref.String()] = true
		images = append(images, stored{ref: ref, desc: entry.Descriptor})
	}
	return images, nil
}

// reference is the name of an image in its index entry.
func reference(desc ocispec.Descriptor) (imageref.Reference, error) {
	name, full := desc.Annotations[annotationRefName], desc.Annotations[annotationFullName]
	ref, err := imageref.Parse(name)
	if err == nil && (ref.String() != name || ref.Full() != full) {
		err = fmt.Errorf("names %s and %s are not canonical", quoted(name), quoted(full))
	}
	return ref, err
}

// open reads the manifest of an image.
func (img *stored) open(fsys fs.FS) error {
	body, err := readBlob(fsys, img.desc.Digest.String(), img.desc.Size, MaxManifest)
	if err != nil {
		return fmt.Errorf("cannot read image %s: manifest: %w", img.ref, err)
	}
	doc, err := ParseDocument(body)
	if err == nil && (doc.Manifest == nil || doc.MediaType != img.desc.MediaType) {
		err = fmt.Errorf("its manifest is of type %s, its index entry of %s", quoted(doc.MediaType), quoted(img.desc.MediaType))
	}
	if err != nil {
		return fmt.Errorf("cannot read image %s: %w", img.ref, err)
	}
	for i, l := range doc.Manifest.Layers {
		if err := CheckLayer(l.MediaType); err != nil {
			return fmt.Errorf("cannot read image %s: layer %d: %w", img.ref, i+1, err)
		}
	}
	img.manifest, img.body = doc.Manifest, body
	return nil
}

// choose returns the named images in archive order, or all of them if names is
// empty. Names may be in any form.
func choose(images []stored, names []string) ([]stored, error) {
	if len(names) == 0 {
		return images, nil
	}
	want := map[string]bool{}
	for _, name := range names {
		ref, err := imageref.Parse(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(images, func(s stored) bool { return s.ref == ref }) {
			return nil, hint.With(fmt.Errorf("cannot find image %s in the archive", ref), "the archive has: %s", listed(images))
		}
		want[ref.String()] = true
	}
	var chosen []stored
	for _, img := range images {
		if want[img.ref.String()] {
			chosen = append(chosen, img)
		}
	}
	return chosen, nil
}

func listed(images []stored) string {
	if len(images) == 0 {
		return "no images"
	}
	names := make([]string, len(images))
	for i, img := range images {
		names[i] = img.ref.String()
	}
	return strings.Join(names, ", ")
}

func readJSON(fsys fs.FS, name string, v any) error {
	name = path.Join(Dir, name)
	body, err := read(fsys, name, MaxManifest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

// readBlob reads a blob of a known size and checks its digest.
func readBlob(fsys fs.FS, digest string, size, limit int64) ([]byte, error) {
	name := blobPath(digest)
	body, err := read(fsys, name, limit)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != size {
		return nil, fmt.Errorf("cannot read %s: it has %d bytes, not %d", name, len(body), size)
	}
	if got := digestOf(body); got != digest {
		return nil, fmt.Errorf("cannot read %s: its content has digest %s", name, got)
	}
	return body, nil
}

// read reads a file of at most limit bytes.
func read(fsys fs.FS, name string, limit int64) (body []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("cannot read %s: it is larger than %d bytes", name, limit)
	}
	return body, nil
}
