package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/manifest"
	"kubecrate/pkg/imageref"
)

// Layer is a member that holds a layer. Its content is the raw tar, so that
// Digest is the diffID, or with Verbatim the registry's blob, so that Digest is that
// of Source. Image is the first image that uses it, from which
// Source can be fetched. Size is that of the content in bytes; Layers sets it to -1
// for a layer that has to be unpacked first.
type Layer struct {
	Path     string
	Digest   string
	Size     int64
	Verbatim bool
	Source   manifest.LockedLayer
	Image    manifest.LockedImage
	Roles    []manifest.Role // sorted, empty for every role
}

// Artifact returns l as a member of an archive.
func (l Layer) Artifact() manifest.Artifact {
	return manifest.Artifact{Path: l.Path, Size: l.Size, SHA256: strings.TrimPrefix(l.Digest, "sha256:"), Kind: manifest.KindImage, Roles: l.Roles}
}

// Layers lists the layers that the images need, each content once, in the order
// of first use. It needs only the lock.
func Layers(images []manifest.LockedImage) ([]Layer, error) {
	if err := checkImages(images); err != nil {
		return nil, err
	}
	var layers []Layer
	at := map[string]int{}
	for _, img := range images {
		for _, source := range img.Layers {
			l := Layer{Digest: source.DiffID, Size: -1, Source: source, Image: img, Roles: roles(nil, img.Roles, true)}
			if img.KeepDigest {
				l.Digest, l.Size, l.Verbatim = source.Digest, source.Size, true
			}
			l.Path = blobPath(l.Digest)
			i, known := at[l.Digest]
			if !known {
				at[l.Digest] = len(layers)
				layers = append(layers, l)
				continue
			}
			l.Roles = roles(layers[i].Roles, img.Roles, false)
			if l.Verbatim && !layers[i].Verbatim { // a plain blob: nothing to unpack
				layers[i] = l
			}
			layers[i].Roles = l.Roles
		}
	}
	return layers, nil
}

// checkImages rejects a lock that cannot be laid out: duplicate names, names that are
// not canonical, invalid digests.
func checkImages(images []manifest.LockedImage) error {
	if len(images) > maxImages {
		return fmt.Errorf("cannot lay out %d images, at most %d are allowed", len(images), maxImages)
	}
	seen := map[string]bool{}
	for _, img := range images {
		if err := checkImage(img); err != nil {
			return fmt.Errorf("cannot lay out image %s: %w", img.Name, err)
		}
		if seen[img.Name] {
			return fmt.Errorf("cannot lay out image %s: it is listed twice", img.Name)
		}
		seen[img.Name] = true
	}
	return nil
}

func checkImage(img manifest.LockedImage) error {
	name, err := imageref.Canonical(img.Name)
	if err != nil {
		return err
	}
	if name != img.Name {
		return fmt.Errorf("its name must be written %s", name)
	}
	if err := errors.Join(imageref.CheckDigest(img.Digest), imageref.CheckDigest(img.Config.Digest)); err != nil {
		return err
	}
	if _, err := platform(img.Platform); err != nil {
		return err
	}
	if len(img.Layers) > MaxLayers {
		return fmt.Errorf("it has %d layers, at most %d are allowed", len(img.Layers), MaxLayers)
	}
	for i, l := range img.Layers {
		if err := errors.Join(imageref.CheckDigest(l.Digest), imageref.CheckDigest(l.DiffID), CheckLayer(l.MediaType)); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
		if l.Size < 0 {
			return fmt.Errorf("layer %d: size %d is negative", i+1, l.Size)
		}
	}
	return nil
}

func platform(s string) (*ocispec.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return nil, fmt.Errorf("platform %s is not OS/ARCH", quoted(s))
	}
	p := &ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// roles is the union of two sets of roles. An empty set, or master together with
// node, means every role and is written as an empty set. With first, the earlier set
// counts as no role.
func roles(have, more []manifest.Role, first bool) []manifest.Role {
	if len(more) == 0 || !first && len(have) == 0 {
		return nil
	}
	all := slices.Concat(have, more)
	slices.Sort(all)
	all = slices.Compact(all)
	if slices.Contains(all, manifest.Master) && slices.Contains(all, manifest.Node) {
		return nil
	}
	return all
}
