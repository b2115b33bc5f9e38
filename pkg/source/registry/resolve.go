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
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/image"
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
// kind that can be carried. KeepDigest and Roles are taken over from img; without
// Roles they follow from the name, see manifest.RolesOf.
//
// The mirrors are asked in order, the registry itself last; the first that has
// the image decides. The error names the image and every place with what it
// answered, and carries a hint.
func (p *Puller) Resolve(ctx context.Context, img manifest.Image, platform manifest.Platform) (manifest.LockedImage, error) {
	ref, err := image.ParseReference(img.Name)
	if err != nil {
		return manifest.LockedImage{}, err
	}
	locked := manifest.LockedImage{Name: ref.String(), Roles: img.Roles, KeepDigest: img.KeepDigest}
	if len(locked.Roles) == 0 {
		locked.Roles = manifest.RolesOf(locked.Name)
	}
	if err := p.resolve(ctx, ref, platform, &locked); err != nil {
		return manifest.LockedImage{}, fmt.Errorf("cannot resolve image %s: %w", ref, err)
	}
	return locked, nil
}

func (p *Puller) resolve(ctx context.Context, ref image.Reference, platform manifest.Platform, locked *manifest.LockedImage) error {
	top, err := p.find(ctx, ref)
	if err != nil {
		return err
	}
	locked.Source = top.place.source(ref)
	locked.Platform = image.Platform{OS: operatingSystem, Architecture: platform.Arch}.String()
	doc := top
	if top.Index != nil {
		if doc, err = p.child(ctx, top, locked); err != nil {
			return fmt.Errorf("%s: %w", top.place.reference(ref), err)
		}
		locked.Index = top.digest
	}
	if err := fill(locked, doc); err != nil {
		return fmt.Errorf("%s: %w", top.place.reference(ref), err)
	}
	if _, _, err := p.fetcher.Store().Put(ctx, bytes.NewReader(doc.body), doc.digest); err != nil {
		return fmt.Errorf("cannot keep its manifest: %w", err)
	}
	if err := p.config(ctx, locked); err != nil {
		return fmt.Errorf("%s: %w", top.place.reference(ref), err)
	}
	return nil
}

// find asks the places for ref. Those that give what is no manifest are passed
// over like those that do not have it.
func (p *Puller) find(ctx context.Context, ref image.Reference) (found, error) {
	places, err := p.placesOf(ref)
	if err != nil {
		return found{}, err
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
			return found{}, err
		}
		doc, err := read(pl, ref, body)
		if err == nil {
			return doc, nil
		}
		if errors.Is(err, image.ErrSchema1) {
			return found{}, fmt.Errorf("%s: %w", pl.reference(ref), err)
		}
		failed.add(pl, err, 1)
		places = slices.DeleteFunc(places, func(x *place) bool { return x == pl })
	}
	return found{}, p.explain(ctx, failed)
}

// get gives the first answer of the places, and whose it was.
func (p *Puller) get(ctx context.Context, ref image.Reference, places []*place) ([]byte, *place, error) {
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
func at(places []*place, ref image.Reference, url string) *place {
	for _, pl := range places {
		if pl.url(manifests, ref.Identifier()) == url {
			return pl
		}
	}
	return places[0]
}

// read takes what a place gave for ref apart.
func read(pl *place, ref image.Reference, body []byte) (found, error) {
	sum := sha256.Sum256(body)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if ref.Digest != "" && digest != ref.Digest {
		return found{}, fmt.Errorf("its answer has digest %s", digest)
	}
	doc, err := image.ParseDocument(body)
	if err != nil {
		return found{}, err
	}
	return found{Document: doc, place: pl, body: body, digest: digest}, nil
}

// child gets the manifest that an index has for the platform.
func (p *Puller) child(ctx context.Context, index found, locked *manifest.LockedImage) (found, error) {
	desc, err := choose(index.Index.Manifests, locked.Platform)
	if err != nil {
		return found{}, err
	}
	if desc.Size > image.MaxManifest {
		return found{}, fmt.Errorf("its manifest for %s is %d bytes, at most %d are allowed", locked.Platform, desc.Size, image.MaxManifest)
	}
	locations, err := p.locations(manifests, desc.Digest, index.place, locked.Name)
	if err != nil {
		return found{}, err
	}
	body, err := p.small(ctx, source.Blob{Name: locked.Name + " manifest", Digest: desc.Digest, Size: desc.Size, Locations: locations}, image.MaxManifest)
	if err != nil {
		return found{}, err
	}
	doc, err := image.ParseDocument(body)
	if err != nil {
		return found{}, err
	}
	if doc.Manifest == nil {
		return found{}, fmt.Errorf("its index names another index, %s, for %s", desc.Digest, locked.Platform)
	}
	return found{Document: doc, place: index.place, body: body, digest: desc.Digest}, nil
}

// choose picks the first entry for a platform. A variant that asks for more
// than the architecture's base (amd64/v3) is not for every host and is passed
// over; v8 is all there is of arm64's base, v1 of amd64's.
func choose(entries []image.Descriptor, platform string) (image.Descriptor, error) {
	var others []string
	for _, d := range entries {
		if d.Platform == nil || d.Platform.OS == "unknown" {
			continue // attestations
		}
		base := *d.Platform
		if base.Architecture == "arm64" && base.Variant == "v8" || base.Architecture == "amd64" && base.Variant == "v1" {
			base.Variant = ""
		}
		if base.String() == platform {
			return d, nil
		}
		if len(others) < 20 {
			others = append(others, d.Platform.String())
		}
	}
	if len(others) == 0 {
		return image.Descriptor{}, fmt.Errorf("its index has nothing for %s, and names no platform", platform)
	}
	return image.Descriptor{}, fmt.Errorf("it has nothing for %s, only for %s", platform, strings.Join(others, ", "))
}

// fill takes over what the manifest says; the diffIDs are not in it.
func fill(locked *manifest.LockedImage, doc found) error {
	locked.Digest, locked.Size, locked.MediaType = doc.digest, int64(len(doc.body)), doc.MediaType
	locked.Config = manifest.LockedBlob{Digest: doc.Manifest.Config.Digest, Size: doc.Manifest.Config.Size}
	locked.Layers = make([]manifest.LockedLayer, 0, len(doc.Manifest.Layers))
	for i, l := range doc.Manifest.Layers {
		if err := image.CheckLayer(l.MediaType); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
		locked.Layers = append(locked.Layers, manifest.LockedLayer{LockedBlob: manifest.LockedBlob{Digest: l.Digest, Size: l.Size}, MediaType: l.MediaType})
	}
	return nil
}

// config fetches the image's config, checks the platform of an image that came
// by no index, and takes the diffIDs over. (Of entries of an index the index
// has the last word: there are arm64 images whose config says amd64.)
func (p *Puller) config(ctx context.Context, locked *manifest.LockedImage) error {
	blob, err := p.Blob(ctx, *locked, locked.Config)
	if err != nil {
		return err
	}
	body, err := p.small(ctx, blob, image.MaxConfig)
	if err != nil {
		return err
	}
	config, err := image.ParseConfig(body)
	if err != nil {
		return err
	}
	if has := (image.Platform{OS: config.OS, Architecture: config.Architecture}).String(); locked.Index == "" && has != locked.Platform {
		return fmt.Errorf("it is for %s, not for %s", has, locked.Platform)
	}
	if len(config.RootFS.DiffIDs) != len(locked.Layers) {
		return fmt.Errorf("its config has %d diffIDs for %d layers", len(config.RootFS.DiffIDs), len(locked.Layers))
	}
	for i, id := range config.RootFS.DiffIDs {
		locked.Layers[i].DiffID = id
	}
	return nil
}

// small has a blob fetched into the store and gives its bytes.
func (p *Puller) small(ctx context.Context, blob source.Blob, limit int64) (body []byte, err error) {
	blob.Limit = limit // where its size is not known
	if _, err := p.fetcher.Fetch(ctx, blob); err != nil {
		return nil, err
	}
	f, err := p.fetcher.Store().Open(blob.Digest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	body, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("%s is over %d bytes", blob.Name, limit)
	}
	return body, err
}
