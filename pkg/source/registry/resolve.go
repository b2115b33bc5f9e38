package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"kubecrate/manifest"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/source"
)

// operatingSystem of every image that a cluster's Linux hosts run.
const operatingSystem = "linux"

// found is a manifest or an index as a place gave it.
type found struct {
	*image.Document
	place  *place
	body   []byte
	digest string
}

// Resolve finds out what img means for a platform, and puts its manifest and
// config into the store. An index is resolved to the platform's manifest; an
// image that is for one platform must be for this one. Every layer must be of a
// kind that can be carried. KeepDigest and Roles are taken over from img.
//
// The mirrors are asked in order, the registry itself last; the first that has
// an image that can be used decides: one for another platform, or in a form that
// is given up, is passed over like none. The error names the image and every
// place with what it answered or had, and carries a hint.
func (p *Puller) Resolve(ctx context.Context, img manifest.Image, platform manifest.Platform) (manifest.LockedImage, error) {
	ref, err := imageref.Parse(img.Name)
	if err != nil {
		return manifest.LockedImage{}, err
	}
	want := manifest.LockedImage{
		Name: ref.String(), Roles: img.Roles, KeepDigest: img.KeepDigest,
		Platform: operatingSystem + "/" + platform.Arch,
	}
	locked, err := p.resolve(ctx, ref, want)
	if err != nil {
		return manifest.LockedImage{}, fmt.Errorf("cannot resolve image %s: %w", ref, err)
	}
	return locked, nil
}

// resolve asks the places for ref until one has it for the platform of want.
func (p *Puller) resolve(ctx context.Context, ref imageref.Reference, want manifest.LockedImage) (manifest.LockedImage, error) {
	places, err := p.placesOf(ref)
	if err != nil {
		return want, err
	}
	failed := &absent{ref: ref}
	for len(places) > 0 {
		body, pl, err := p.get(ctx, ref, places)
		var refused *source.Error
		if errors.As(err, &refused) {
			for _, f := range refused.Failures {
				failed.add(at(places, ref, f.URL), f.Err, f.Tries)
			}
			break
		}
		if err != nil {
			return want, err
		}
		locked, err := p.take(ctx, ref, pl, body, want)
		if err == nil {
			return locked, nil
		}
		var here *hereError
		if errors.As(err, &here) || ctx.Err() != nil {
			return want, fmt.Errorf("%s: %w", pl.reference(ref), err)
		}
		failed.add(pl, &unusableError{err}, 1)
		if ref.Digest != "" && digestOf(body) == ref.Digest && !errors.As(err, &refused) {
			break // every other place has the same bytes
		}
		places = slices.DeleteFunc(places, func(x *place) bool { return x == pl })
	}
	return want, p.explain(ctx, failed)
}

// hereError is one of this machine: no other place can help.
type hereError struct{ err error }

func (e *hereError) Error() string { return e.err.Error() }
func (e *hereError) Unwrap() error { return e.err }

// unusableError is about what a place had: its answer came, and is of no use.
type unusableError struct{ err error }

func (e *unusableError) Error() string { return e.err.Error() }
func (e *unusableError) Unwrap() error { return e.err }

// take makes of what a place gave for ref a locked image, all but its blobs in
// the store.
func (p *Puller) take(ctx context.Context, ref imageref.Reference, pl *place, body []byte, want manifest.LockedImage) (manifest.LockedImage, error) {
	top, err := read(pl, ref, body)
	if err != nil {
		return want, err
	}
	want.Source = pl.source(ref)
	if top.Index != nil {
		want.Index = top.digest
		return p.fromIndex(ctx, top, want, maxNesting)
	}
	return p.fromManifest(ctx, top, want, true)
}

// fromManifest reads the config that doc names. judged says that its platform
// has to be the right one, as nothing else has said so. (Of an entry of an index
// the index has the last word: there are arm64 images whose config says amd64.)
func (p *Puller) fromManifest(ctx context.Context, doc found, locked manifest.LockedImage, judged bool) (manifest.LockedImage, error) {
	locked.Digest, locked.Size, locked.MediaType = doc.digest, int64(len(doc.body)), doc.MediaType
	locked.Config = manifest.LockedBlob{Digest: doc.Manifest.Config.Digest.String(), Size: doc.Manifest.Config.Size}
	kind := doc.Manifest.Config.MediaType
	if kind == image.OCIConfig || kind == image.DockerConfig {
		if err := checkLayers(doc.Manifest.Layers); err != nil {
			return locked, err
		}
	}
	config, err := p.config(ctx, &locked, kind)
	if err != nil {
		return locked, err
	}
	if has := config.OS + "/" + config.Architecture; judged && has != locked.Platform {
		return locked, &otherPlatformError{want: locked.Platform, has: []string{has}}
	}
	locked.CPU = config.CPU()
	if locked.Layers, err = layers(doc.Manifest.Layers, config.RootFS.DiffIDs); err != nil {
		return locked, err
	}
	if _, _, err := p.fetcher.Store().Put(ctx, bytes.NewReader(doc.body), doc.digest); err != nil {
		return locked, &hereError{fmt.Errorf("cannot keep its manifest: %w", err)}
	}
	return locked, nil
}

// get gives the first answer of the places, and whose it was.
func (p *Puller) get(ctx context.Context, ref imageref.Reference, places []*place) ([]byte, *place, error) {
	locations := make([]source.Location, len(places))
	for i, pl := range places {
		locations[i] = pl.location(manifests, ref.Identifier())
	}
	body, url, err := p.fetcher.Get(ctx, ref.String(), locations, image.MaxManifest)
	if err != nil {
		return nil, nil, err
	}
	return body, at(places, ref, url), nil
}

// at finds the place that a manifest's URL belongs to.
func at(places []*place, ref imageref.Reference, url string) *place {
	for _, pl := range places {
		if pl.url(manifests, ref.Identifier()) == url {
			return pl
		}
	}
	return places[0]
}

// read takes what a place gave for ref apart.
func read(pl *place, ref imageref.Reference, body []byte) (found, error) {
	digest := digestOf(body)
	if ref.Digest != "" && digest != ref.Digest {
		return found{}, fmt.Errorf("its answer has digest %s", digest)
	}
	doc, err := image.ParseDocument(body)
	if err != nil {
		return found{}, err
	}
	return found{Document: doc, place: pl, body: body, digest: digest}, nil
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// layers joins what a manifest and a config say of the layers.
func layers(blobs []image.Descriptor, diffIDs []string) ([]manifest.LockedLayer, error) {
	if err := checkLayers(blobs); err != nil {
		return nil, err
	}
	list := make([]manifest.LockedLayer, 0, len(blobs))
	for _, l := range blobs {
		list = append(list, manifest.LockedLayer{LockedBlob: manifest.LockedBlob{Digest: l.Digest.String(), Size: l.Size}, MediaType: l.MediaType})
	}
	if len(diffIDs) != len(blobs) {
		return nil, fmt.Errorf("its config has %d diffIDs for %d layers", len(diffIDs), len(blobs))
	}
	for i, id := range diffIDs {
		list[i].DiffID = id
	}
	return list, nil
}

func checkLayers(blobs []image.Descriptor) error {
	for i, l := range blobs {
		if err := image.CheckLayer(l.MediaType); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return nil
}

// config fetches and reads the image's config. Its media type decides nothing
// (docker 1.10 wrote application/octet-stream): a config is what lists layers.
func (p *Puller) config(ctx context.Context, locked *manifest.LockedImage, mediaType string) (*image.Config, error) {
	blob, err := p.Blob(ctx, *locked, locked.Config)
	if err != nil {
		return nil, err
	}
	body, err := p.small(ctx, blob, image.MaxConfig)
	if err != nil {
		return nil, err
	}
	locked.Config.Size = int64(len(body))
	config, err := image.ParseConfig(body)
	var other *image.NotImageError
	if errors.As(err, &other) || err != nil && mediaType != image.OCIConfig && mediaType != image.DockerConfig {
		return nil, &image.NotImageError{ConfigType: mediaType}
	}
	return config, err
}

// small has a blob fetched into the store and gives its bytes.
func (p *Puller) small(ctx context.Context, blob source.Blob, limit int64) (body []byte, err error) {
	blob.Limit = limit // where its size is not known
	if _, err := p.fetcher.Fetch(ctx, blob); err != nil {
		var refused *source.Error
		if !errors.As(err, &refused) {
			err = &hereError{err}
		}
		return nil, err
	}
	f, err := p.fetcher.Store().Open(blob.Digest)
	if err != nil {
		return nil, &hereError{err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s is over %d bytes", blob.Name, limit)
	}
	return body, err
}
