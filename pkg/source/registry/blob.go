package registry

import (
	"context"
	"fmt"

	"kubecrate/manifest"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/source"
)

// Blob says where b, the config or a layer of img, can be fetched: from the
// place that img was resolved at, then from the other mirrors, then from the
// registry itself. Each location has a client that authenticates, so that a
// blob resumes by Range wherever it is served. Nothing is sent yet.
func (p *Puller) Blob(_ context.Context, img manifest.LockedImage, b manifest.LockedBlob) (source.Blob, error) {
	blob, err := p.blob(img, blobs, b)
	if err != nil {
		return source.Blob{}, fmt.Errorf("cannot fetch image %s: %w", img.Name, err)
	}
	return blob, nil
}

func (p *Puller) blob(img manifest.LockedImage, item string, b manifest.LockedBlob) (source.Blob, error) {
	if err := imageref.CheckDigest(b.Digest); err != nil {
		return source.Blob{}, err
	}
	from, err := p.origin(img)
	if err != nil {
		return source.Blob{}, err
	}
	locations, err := p.locations(item, b.Digest, from, img.Name)
	if err != nil {
		return source.Blob{}, err
	}
	return source.Blob{Name: img.Name + " " + b.Digest[7:19], Digest: b.Digest, Size: b.Size, Locations: locations, Gone: gone(img.Name)}, nil
}

// gone is the hint where no place has a part of an image.
func gone(name string) string {
	registry := "REGISTRY"
	if ref, err := imageref.Parse(name); err == nil {
		registry = ref.Registry
	}
	return fmt.Sprintf("no location has it any more: add a mirror that has it: --mirror %s=HOST/PREFIX; or pin the current image: bundle lock MANIFEST", registry)
}

// Metadata has the manifest and the config of a locked image in the store when
// it returns nil: what is missing is fetched by digest.
func (p *Puller) Metadata(ctx context.Context, img manifest.LockedImage) error {
	if img.Size > image.MaxManifest || img.Config.Size > image.MaxConfig {
		return fmt.Errorf("cannot fetch image %s: its manifest or config is too large", img.Name)
	}
	for item, b := range map[string]manifest.LockedBlob{manifests: {Digest: img.Digest, Size: img.Size}, blobs: img.Config} {
		if _, ok := p.fetcher.Store().Stat(b.Digest); ok {
			continue
		}
		blob, err := p.blob(img, item, b)
		blob.Limit = image.MaxConfig // where its size is not known
		if err == nil {
			_, err = p.fetcher.Fetch(ctx, blob)
		}
		if err != nil {
			return fmt.Errorf("cannot fetch image %s: %w", img.Name, err)
		}
	}
	return nil
}

// origin is the place that a locked image was resolved at.
func (p *Puller) origin(img manifest.LockedImage) (*place, error) {
	from, err := imageref.Parse(img.Source)
	if err != nil {
		return nil, err
	}
	return p.place(from.Registry, from.Repository)
}

// locations lists where a digest of the named image may be, first the place
// that is known to have had it.
func (p *Puller) locations(item, digest string, first *place, name string) ([]source.Location, error) {
	ref, err := imageref.Parse(name)
	if err != nil {
		return nil, err
	}
	others, err := p.placesOf(ref)
	if err != nil {
		return nil, err
	}
	places := []*place{first}
	for _, pl := range others {
		places = add(places, pl)
	}
	locations := make([]source.Location, len(places))
	for i, pl := range places {
		locations[i] = pl.location(item, digest)
	}
	return locations, nil
}
