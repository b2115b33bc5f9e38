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

	"kubecrate/pkg/hint"
)

// stored is an image of a layout: what its index says of it, and its manifest,
// whose digest was checked.
type stored struct {
	ref      Reference
	desc     Descriptor
	manifest *Manifest
	body     []byte
}

// open reads what describes the images of an archive, and checks all of it but
// the configs and layers.
func open(fsys fs.FS) ([]stored, error) {
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
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
	if err != nil {
		return nil, fmt.Errorf("cannot read %s/%s: %w", Dir, indexFile, err)
	}
	if doc.Index == nil || doc.MediaType != OCIIndex {
		return nil, fmt.Errorf("cannot read %s/%s: it is not an OCI index", Dir, indexFile)
	}
	var images []stored
	seen := map[string]bool{}
	for _, desc := range doc.Index.Manifests {
		img, err := openImage(fsys, desc)
		if err != nil {
			return nil, err
		}
		if seen[img.ref.String()] {
			return nil, fmt.Errorf("cannot read %s/%s: it names %s twice", Dir, indexFile, img.ref)
		}
		seen[img.ref.String()] = true
		images = append(images, img)
	}
	return images, nil
}

func openImage(fsys fs.FS, desc Descriptor) (stored, error) {
	name := desc.Annotations[annotationRefName]
	ref, err := ParseReference(name)
	if err == nil && (ref.String() != name || ref.Full() != desc.Annotations[annotationFullName]) {
		err = fmt.Errorf("names %s and %s are not canonical", quoted(name), quoted(desc.Annotations[annotationFullName]))
	}
	if err != nil {
		return stored{}, fmt.Errorf("cannot read %s/%s: %w", Dir, indexFile, err)
	}
	body, err := readBlob(fsys, desc.Digest, desc.Size, MaxManifest)
	if err != nil {
		return stored{}, fmt.Errorf("cannot read image %s: manifest: %w", name, err)
	}
	doc, err := ParseDocument(body)
	if err == nil && (doc.Manifest == nil || doc.MediaType != desc.MediaType) {
		err = fmt.Errorf("its manifest is of type %s, its index entry of %s", quoted(doc.MediaType), quoted(desc.MediaType))
	}
	if err != nil {
		return stored{}, fmt.Errorf("cannot read image %s: %w", name, err)
	}
	for i, l := range doc.Manifest.Layers {
		if err := CheckLayer(l.MediaType); err != nil {
			return stored{}, fmt.Errorf("cannot read image %s: layer %d: %w", name, i+1, err)
		}
	}
	return stored{ref: ref, desc: desc, manifest: doc.Manifest, body: body}, nil
}

// choose gives the named images in the archive's order, or all of them where
// names is empty. Any spelling of a name is taken.
func choose(images []stored, names []string) ([]stored, error) {
	if len(names) == 0 {
		return images, nil
	}
	want := map[string]bool{}
	for _, name := range names {
		ref, err := ParseReference(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(images, func(s stored) bool { return s.ref == ref }) {
			return nil, hint.With(fmt.Errorf("cannot find image %s: the archive does not hold it", ref), "the archive holds: %s", listed(images))
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
		return "no image"
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
		return nil, fmt.Errorf("cannot read %s: it is over %d bytes", name, limit)
	}
	return body, nil
}
