package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/image"
	"kubecrate/pkg/source"
)

// Bounds of what an index makes us ask for: how deep indexes name indexes, and
// how many of its entries are tried.
const (
	maxNesting = 3
	maxTried   = 8
)

// errIndexDepth says that indexes name each other further than is followed.
var errIndexDepth = errors.New("its indexes are nested too deeply")

// otherPlatformError says that what is there is for other platforms.
type otherPlatformError struct {
	want string
	has  []string // none: no entry names a platform
}

func (e *otherPlatformError) Error() string {
	switch {
	case len(e.has) == 0:
		return fmt.Sprintf("its index has no entry for %s and names no platforms", e.want)
	case len(e.has) == 1:
		return fmt.Sprintf("it is for %s, not for %s", e.has[0], e.want)
	}
	return fmt.Sprintf("it has nothing for %s, only for %s", e.want, strings.Join(e.has, ", "))
}

// fromIndex takes the first entry of index that is an image for the platform of
// locked. Entries that cannot be used are passed over as long as there is
// another one to try.
func (p *Puller) fromIndex(ctx context.Context, index found, locked manifest.LockedImage, depth int) (manifest.LockedImage, error) {
	if depth == 0 {
		return locked, errIndexDepth
	}
	entries, others := choose(index.Index.Manifests, locked.Platform)
	var first error
	for i, e := range entries {
		if i == maxTried {
			break
		}
		got, err := p.fromEntry(ctx, index.place, e, locked, depth)
		var here *hereError
		if err == nil || ctx.Err() != nil || errors.As(err, &here) {
			return got, err
		}
		var other *otherPlatformError
		if errors.As(err, &other) && !e.named {
			others = append(others, other.has...)
			continue
		}
		if first == nil {
			first = fmt.Errorf("its entry for %s: %w", locked.Platform, err)
		}
		// What could not be fetched may be the right one: nothing else stands in for it.
		var refused *source.Error
		if e.named && errors.As(err, &refused) {
			break
		}
	}
	if first != nil {
		return locked, first
	}
	return locked, &otherPlatformError{want: locked.Platform, has: others}
}

// fromEntry follows one entry of an index.
func (p *Puller) fromEntry(ctx context.Context, from *place, e entry, locked manifest.LockedImage, depth int) (manifest.LockedImage, error) {
	doc, err := p.child(ctx, from, e.Entry, locked.Name)
	if err != nil {
		return locked, err
	}
	if doc.Index != nil {
		return p.fromIndex(ctx, doc, locked, depth-1)
	}
	return p.fromManifest(ctx, doc, locked, !e.named)
}

// child gets the document that an entry of an index points at.
func (p *Puller) child(ctx context.Context, from *place, desc image.Entry, name string) (found, error) {
	if err := desc.Check(); err != nil {
		return found{}, err
	}
	if desc.Size > image.MaxManifest {
		return found{}, fmt.Errorf("its manifest is %d bytes, at most %d are allowed", desc.Size, image.MaxManifest)
	}
	locations, err := p.locations(manifests, desc.Digest.String(), from, name)
	if err != nil {
		return found{}, err
	}
	body, err := p.small(ctx, source.Blob{Name: name + " manifest", Digest: desc.Digest.String(), Size: desc.Size, Locations: locations, Gone: gone(name)}, image.MaxManifest)
	if err != nil {
		return found{}, err
	}
	doc, err := image.ParseDocument(body)
	if err != nil {
		return found{}, err
	}
	return found{Document: doc, place: from, body: body, digest: desc.Digest.String()}, nil
}

// entry is an entry of an index that may be for a platform.
type entry struct {
	image.Entry
	named bool // the index says that it is
}

// choose lists the entries for a platform, in the order to try: those that say
// so, then those that name no platform, which the image-spec makes optional. A
// variant that asks for more than the architecture's base (amd64/v3) is not for
// every host and is passed over; v8 is all there is of arm64's base, v1 of
// amd64's. Attestations are not images. others are the platforms of the rest.
func choose(descriptors []image.Entry, platform string) (entries []entry, others []string) {
	var unnamed []entry
	for _, d := range descriptors {
		_, attestation := d.Annotations["vnd.docker.reference.type"]
		switch {
		case attestation, d.Platform != nil && d.Platform.OS == "unknown":
			continue
		case d.Platform == nil, d.Platform.OS == "", d.Platform.Architecture == "":
			if d.Check() == nil {
				unnamed = append(unnamed, entry{Entry: d})
			}
			continue
		}
		base := *d.Platform
		if base.Architecture == "arm64" && base.Variant == "v8" || base.Architecture == "amd64" && base.Variant == "v1" {
			base.Variant = ""
		}
		if image.PlatformString(base) == platform {
			entries = append(entries, entry{Entry: d, named: true})
		} else if len(others) < 20 {
			others = append(others, image.PlatformString(*d.Platform))
		}
	}
	return append(entries, unnamed...), others
}
