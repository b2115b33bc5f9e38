package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"kubecrate/manifest"
)

// maxElements bounds the objects, lists and other values of a JSON document before
// it is parsed: each takes about a hundred bytes of memory, but only two of text.
const maxElements = 200_000

func checkElements(body []byte) error {
	n := 0
	for _, c := range []byte{',', '{', '['} {
		n += bytes.Count(body, []byte{c})
	}
	if n > maxElements {
		return fmt.Errorf("it has more than %d values", maxElements)
	}
	return nil
}

// Agree compares the images of the archive fsys with its lock: names, registry
// digests, configs and layers. It returns the paths in images/ that they use, with
// the roles of each. It reads only indexes and manifests; Validate checks the blobs.
func Agree(fsys fs.FS, locked []manifest.LockedImage) (map[string][]manifest.Role, error) {
	images, err := open(fsys)
	if err != nil {
		return nil, err
	}
	byName := map[string]stored{}
	for _, img := range images {
		byName[img.ref.String()] = img
	}
	if len(images) != len(locked) {
		return nil, fmt.Errorf("the lock lists %d images, %s/%s lists %d", len(locked), Dir, indexFile, len(images))
	}
	a := &agreement{paths: map[string][]manifest.Role{}}
	for _, name := range []string{layoutFile, indexFile, dockerFile} {
		a.paths[path.Join(Dir, name)] = nil
	}
	var problems []error
	for _, l := range locked {
		img, ok := byName[l.Name]
		if !ok {
			problems = append(problems, fmt.Errorf("image %s is in the lock but not in %s/%s", l.Name, Dir, indexFile))
			continue
		}
		if err := a.image(fsys, l, img); err != nil {
			problems = append(problems, fmt.Errorf("image %s: %w", l.Name, err))
		}
	}
	if len(problems) > maxProblems {
		problems = append(problems[:maxProblems], fmt.Errorf("%d more problems", len(problems)-maxProblems))
	}
	return a.paths, errors.Join(problems...)
}

type agreement struct{ paths map[string][]manifest.Role }

// image compares one image with its entry in the lock.
func (a *agreement) image(fsys fs.FS, l manifest.LockedImage, img stored) error {
	m := img.manifest
	p, err := platform(l.Platform)
	if err != nil {
		return err
	}
	switch {
	case img.desc.Annotations[annotationUpstream] != l.Digest:
		return fmt.Errorf("digest is %s in the lock, %s in the archive", l.Digest, quoted(img.desc.Annotations[annotationUpstream]))
	case l.KeepDigest && img.desc.Digest.String() != l.Digest:
		return fmt.Errorf("kept digest is %s in the lock, %s in the archive", l.Digest, img.desc.Digest)
	case m.Config.Digest.String() != l.Config.Digest:
		return fmt.Errorf("config is %s in the lock, %s in the archive", l.Config.Digest, m.Config.Digest)
	case m.Config.Size != l.Config.Size:
		return fmt.Errorf("config has %d bytes in the lock, %d in the archive", l.Config.Size, m.Config.Size)
	case len(m.Layers) != len(l.Layers):
		return fmt.Errorf("image has %d layers in the lock, %d in the archive", len(l.Layers), len(m.Layers))
	case img.desc.Platform != nil && (img.desc.Platform.OS != p.OS || img.desc.Platform.Architecture != p.Architecture):
		return fmt.Errorf("platform is %s in the lock, %s/%s in the archive", l.Platform, quoted(img.desc.Platform.OS), quoted(img.desc.Platform.Architecture))
	}
	diffIDs, err := validateConfig(fsys, img)
	if err != nil {
		return err
	}
	a.use(img.desc.Digest.String(), l.Roles)
	a.use(m.Config.Digest.String(), l.Roles)
	for i, layer := range m.Layers {
		want := l.Layers[i].DiffID
		if l.KeepDigest {
			want = l.Layers[i].Digest
		}
		if layer.Digest.String() != want || diffIDs[i] != l.Layers[i].DiffID {
			return fmt.Errorf("layer %d is %s in the lock, %s in the archive", i+1, want, layer.Digest)
		}
		a.use(layer.Digest.String(), l.Roles)
	}
	return nil
}

// use records that these roles need a blob.
func (a *agreement) use(digest string, need []manifest.Role) {
	p := blobPath(digest)
	have, known := a.paths[p]
	a.paths[p] = roles(slices.Clone(have), need, !known)
}
