package image

import (
	"encoding/json"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/pkg/imageref"
)

// Media types of manifests, configs and layers: the OCI image-spec 1.0's
// media-types.md and the distribution project's manifest-v2-2.md.
const (
	OCIManifest        = ocispec.MediaTypeImageManifest
	OCIIndex           = ocispec.MediaTypeImageIndex
	OCIConfig          = ocispec.MediaTypeImageConfig
	OCILayer           = ocispec.MediaTypeImageLayer
	DockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig       = "application/vnd.docker.container.image.v1+json"
	DockerLayer        = "application/vnd.docker.image.rootfs.diff.tar"
)

// Bounds of manifests and configs. Registries commonly reject manifests over 4 MiB;
// overlay file systems support about 500 layers.
const (
	MaxManifest = 4 << 20
	MaxConfig   = 8 << 20
	MaxLayers   = 512
	maxImages   = 4096
)

// Descriptor refers to a blob.
type Descriptor = ocispec.Descriptor

// Entry is one manifest of an Index. It is not validated before it is used: see
// Check.
type Entry struct {
	ocispec.Descriptor

	unreadable error
}

// Index lists the manifests of one image for several platforms; an OCI layout's
// index.json has the same form. It is like ocispec.Index, but an unreadable entry
// does not affect the others. MediaType is never empty.
type Index struct {
	MediaType string
	Manifests []Entry
}

// PlatformString is "linux/arm64", or "linux/arm/v7" with a variant.
func PlatformString(p ocispec.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Config is the part of an image's config that kubecrate uses. DiffIDs are the
// digests of the layers' tars, from the lowest up. It is not ocispec.Image, which
// would reject a config for an invalid field that is not used here, such as a time
// that is not RFC 3339; the config itself is kept byte for byte.
type Config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	Settings     struct {
		Labels map[string]string `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// ErrSchema1 reports a manifest of docker's first schema, which has neither the
// config nor the layers' diffIDs.
var ErrSchema1 = errors.New("it is a docker schema 1 manifest, a format that was abandoned in 2016")

// NotImageError reports a well-formed manifest of something other than a container
// image: a chart, a signature or another artifact.
type NotImageError struct{ ConfigType string }

// Error names the media type of the config, which identifies the kind of artifact.
func (e *NotImageError) Error() string {
	return fmt.Sprintf("it is not a container image: its config, of type %s, lists no layers (rootfs)", quoted(e.ConfigType))
}

// Document is what a registry returns for a name: exactly one of Manifest and Index
// is set. MediaType is never empty.
type Document struct {
	MediaType string
	Manifest  *ocispec.Manifest
	Index     *Index
}

// ParseDocument parses a manifest or an index. The kind follows from the content, so
// a wrong Content-Type does not matter; an ambiguous text is rejected. The errors are
// ErrSchema1 and those of an invalid document: not JSON, over MaxManifest, a digest
// other than sha256, a negative size, more than MaxLayers layers. Entries of an index
// are not validated before they are used: see Entry.Check. Nor is the media type of a
// config, since its content says more: see ParseConfig and NotImageError.
func ParseDocument(body []byte) (*Document, error) {
	if len(body) > MaxManifest {
		return nil, fmt.Errorf("manifest is larger than %d MiB", MaxManifest>>20)
	}
	if err := checkElements(body); err != nil {
		return nil, err
	}
	var shape struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		FSLayers      json.RawMessage `json:"fsLayers"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(body, &shape); err != nil {
		return nil, fmt.Errorf("it is not a manifest: %w", err)
	}
	isManifest, isIndex := shape.Config != nil || shape.Layers != nil, shape.Manifests != nil
	switch {
	case shape.SchemaVersion == 1 || shape.FSLayers != nil:
		return nil, ErrSchema1
	case shape.SchemaVersion != 2:
		return nil, fmt.Errorf("it is not a manifest: schemaVersion is %d, not 2", shape.SchemaVersion)
	case isManifest && isIndex:
		return nil, errors.New("it has both layers and manifests, so it is ambiguous")
	case isIndex:
		return parseIndex(body, shape.MediaType)
	case isManifest:
		return parseManifest(body, shape.MediaType)
	}
	return nil, errors.New("it is not a manifest: it has neither layers nor manifests")
}

func parseManifest(body []byte, mediaType string) (*Document, error) {
	switch mediaType {
	case "":
		mediaType = OCIManifest
	case OCIManifest, DockerManifest:
	default:
		return nil, fmt.Errorf("media type %s is not an image manifest type", quoted(mediaType))
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("cannot read manifest: %w", err)
	}
	if len(m.Layers) > MaxLayers {
		return nil, fmt.Errorf("it has %d layers, at most %d are allowed", len(m.Layers), MaxLayers)
	}
	if err := check(m.Config); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if m.Config.Size > MaxConfig {
		return nil, fmt.Errorf("config is %d bytes, at most %d are allowed", m.Config.Size, MaxConfig)
	}
	for i, l := range m.Layers {
		if err := check(l); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return &Document{MediaType: mediaType, Manifest: &m}, nil
}

func parseIndex(body []byte, mediaType string) (*Document, error) {
	switch mediaType {
	case "":
		mediaType = OCIIndex
	case OCIIndex, DockerManifestList:
	default:
		return nil, fmt.Errorf("media type %s is not an index type", quoted(mediaType))
	}
	var x struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(body, &x); err != nil {
		return nil, fmt.Errorf("cannot read index: %w", err)
	}
	if len(x.Manifests) > maxImages {
		return nil, fmt.Errorf("index has %d entries, at most %d are allowed", len(x.Manifests), maxImages)
	}
	index := &Index{MediaType: mediaType, Manifests: make([]Entry, len(x.Manifests))}
	for i, entry := range x.Manifests {
		// An entry that is not used does no harm.
		if err := json.Unmarshal(entry, &index.Manifests[i].Descriptor); err != nil {
			index.Manifests[i] = Entry{unreadable: fmt.Errorf("it is not a descriptor: %w", err)}
		}
	}
	return &Document{MediaType: mediaType, Index: index}, nil
}

// Check returns why e cannot be used: its digest is invalid or of an unsupported
// algorithm, or its size is negative. A missing size is 0.
func (e Entry) Check() error {
	if e.unreadable != nil {
		return e.unreadable
	}
	return check(e.Descriptor)
}

func check(d ocispec.Descriptor) error {
	if err := imageref.CheckDigest(d.Digest.String()); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("size %d is negative", d.Size)
	}
	return nil
}

// ParseConfig parses an image's config of at most MaxConfig bytes. Every diffID is a
// sha256. JSON without layers is a *NotImageError; the caller sets its ConfigType.
func ParseConfig(body []byte) (*Config, error) {
	if len(body) > MaxConfig {
		return nil, fmt.Errorf("config is larger than %d MiB", MaxConfig>>20)
	}
	if err := checkElements(body); err != nil {
		return nil, fmt.Errorf("cannot read config: %w", err)
	}
	var c Config
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("cannot read config: %w", err)
	}
	if c.RootFS.Type == "" && len(c.RootFS.DiffIDs) == 0 {
		return nil, &NotImageError{}
	}
	if len(c.RootFS.DiffIDs) > MaxLayers {
		return nil, fmt.Errorf("config has %d diffIDs, at most %d are allowed", len(c.RootFS.DiffIDs), MaxLayers)
	}
	for i, id := range c.RootFS.DiffIDs {
		if err := imageref.CheckDigest(id); err != nil {
			return nil, fmt.Errorf("diffID %d: %w", i+1, err)
		}
	}
	return &c, nil
}

// quoted returns s quoted and shortened for a message.
func quoted(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
