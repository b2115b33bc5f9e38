package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"kubecrate/manifest"
	"kubecrate/pkg/imageref"
)

// Dir is the directory of images in an archive.
const Dir = "images"

// The names of a layout's files, and the annotations by which its index names
// images: the OCI image-spec's annotations.md, containerd's images package, and
// kubecrate's own for the digest of the image in its registry.
const (
	layoutFile         = ocispec.ImageLayoutFile
	indexFile          = ocispec.ImageIndexFile
	dockerFile         = "manifest.json"
	layoutVersion      = ocispec.ImageLayoutVersion
	annotationRefName  = ocispec.AnnotationRefName
	annotationFullName = "io.containerd.image.name"
	schemaVersion      = 2 // of manifests and indexes
	annotationUpstream = "dev.kubecrate.upstream.digest"
)

// Blobs returns the bytes of a manifest or a config by its digest.
type Blobs func(digest string) ([]byte, error)

// Files are the members of an archive's images/.
type Files struct {
	Small  []File  // with their content: the layout's own files, manifests and configs
	Layers []Layer // in the order of first use
}

// File is a small member with its content.
type File struct {
	Path    string
	Content []byte
	Roles   []manifest.Role // sorted, empty for every role
}

// Artifact returns f as a member of an archive.
func (f File) Artifact() manifest.Artifact {
	sum := sha256.Sum256(f.Content)
	return manifest.Artifact{Path: f.Path, Size: int64(len(f.Content)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindImage, Roles: f.Roles}
}

func blobPath(digest string) string { return path.Join(Dir, blobName(digest)) }

// blobName is the path of a blob in the layout; digest is a valid digest.
func blobName(digest string) string {
	return path.Join("blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// dockerEntry is an image in docker's manifest.json (docker image-spec v1.2,
// "Combined Image JSON + Filesystem Changeset Format").
type dockerEntry struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// Layout returns the members of an archive's images/. blobs returns the configs, and
// the manifests of images with KeepDigest; their digests are checked, and the
// config's diffIDs are compared with the lock. layerSize returns the size of a
// layer's raw tar by diffID; it is not called for verbatim layers. The same images
// produce the same bytes.
//
// An image that keeps zstd layers is omitted from docker's manifest.json, since
// docker cannot load it.
func Layout(images []manifest.LockedImage, blobs Blobs, layerSize func(diffID string) (int64, error)) (*Files, error) {
	layers, err := Layers(images)
	if err != nil {
		return nil, err
	}
	b := &builder{blobs: blobs, at: map[string]int{}, sizes: map[string]int64{}, docker: []dockerEntry{}}
	for i, l := range layers {
		if !l.Verbatim {
			if l.Size, err = layerSize(l.Digest); err != nil {
				return nil, fmt.Errorf("cannot lay out image %s: size of layer %s: %w", l.Image.Name, l.Digest, err)
			}
			layers[i].Size = l.Size
		}
		b.sizes[l.Digest] = l.Size
	}
	b.index = emptyIndex()
	for _, img := range images {
		if err := b.add(img); err != nil {
			return nil, fmt.Errorf("cannot lay out image %s: %w", img.Name, err)
		}
	}
	head, err := b.head()
	if err != nil {
		return nil, err
	}
	return &Files{Small: append(head, b.files...), Layers: layers}, nil
}

type builder struct {
	blobs  Blobs
	sizes  map[string]int64
	files  []File
	at     map[string]int
	index  ocispec.Index
	docker []dockerEntry
}

func (b *builder) add(img manifest.LockedImage) error {
	config, err := b.config(img)
	if err != nil {
		return err
	}
	m, body, err := b.manifest(img, int64(len(config)))
	if err != nil {
		return err
	}
	ref, err := imageref.Parse(img.Name)
	if err != nil {
		return err
	}
	p, err := platform(img.Platform)
	if err != nil {
		return err
	}
	b.small(digestOf(body), body, img.Roles)
	b.small(img.Config.Digest, config, img.Roles)
	b.index.Manifests = append(b.index.Manifests, ocispec.Descriptor{
		MediaType: m.MediaType, Digest: digest.Digest(digestOf(body)), Size: int64(len(body)), Platform: p,
		Annotations: map[string]string{annotationRefName: ref.String(), annotationFullName: ref.Full(), annotationUpstream: img.Digest},
	})
	if dockerLoads(m) {
		b.docker = append(b.docker, entry(ref, m))
	}
	return nil
}

func (b *builder) config(img manifest.LockedImage) ([]byte, error) {
	body, err := b.blob(img.Config.Digest)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	config, err := ParseConfig(body)
	if err != nil {
		return nil, err
	}
	if len(config.RootFS.DiffIDs) != len(img.Layers) {
		return nil, fmt.Errorf("config has %d diffIDs for %d layers", len(config.RootFS.DiffIDs), len(img.Layers))
	}
	for i, id := range config.RootFS.DiffIDs {
		if id != img.Layers[i].DiffID {
			return nil, fmt.Errorf("diffID of layer %d is %s in the config, %s in the lock", i+1, id, img.Layers[i].DiffID)
		}
	}
	return body, nil
}

// manifest returns the registry's own manifest for an image that keeps its digest,
// a new one over raw layers for others.
func (b *builder) manifest(img manifest.LockedImage, configSize int64) (*ocispec.Manifest, []byte, error) {
	if img.KeepDigest {
		return b.upstream(img)
	}
	m := &ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: schemaVersion}, MediaType: OCIManifest, Layers: []ocispec.Descriptor{},
		Config: ocispec.Descriptor{MediaType: OCIConfig, Digest: digest.Digest(img.Config.Digest), Size: configSize},
	}
	for _, l := range img.Layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: OCILayer, Digest: digest.Digest(l.DiffID), Size: b.sizes[l.DiffID]})
	}
	body, err := json.Marshal(m)
	return m, body, err
}

func (b *builder) upstream(img manifest.LockedImage) (*ocispec.Manifest, []byte, error) {
	body, err := b.blob(img.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("manifest: %w", err)
	}
	doc, err := ParseDocument(body)
	if err != nil {
		return nil, nil, err
	}
	if doc.Manifest == nil {
		return nil, nil, fmt.Errorf("%s is an index, not the manifest of one platform", img.Digest)
	}
	m := *doc.Manifest
	m.MediaType = doc.MediaType
	if m.Config.Digest.String() != img.Config.Digest || len(m.Layers) != len(img.Layers) {
		return nil, nil, errors.New("its manifest differs from the lock")
	}
	for i, l := range m.Layers {
		if locked := img.Layers[i]; l.Digest.String() != locked.Digest || l.Size != locked.Size || l.MediaType != locked.MediaType {
			return nil, nil, fmt.Errorf("layer %d of its manifest differs from the lock", i+1)
		}
	}
	return &m, body, nil
}

func (b *builder) blob(digest string) ([]byte, error) {
	body, err := b.blobs(digest)
	if err != nil {
		return nil, err
	}
	if got := digestOf(body); got != digest {
		return nil, fmt.Errorf("digest is %s, not %s", got, digest)
	}
	return body, nil
}

// small adds a blob once, with all roles that need it.
func (b *builder) small(digest string, data []byte, need []manifest.Role) {
	if i, ok := b.at[digest]; ok {
		b.files[i].Roles = roles(b.files[i].Roles, need, false)
		return
	}
	b.at[digest] = len(b.files)
	b.files = append(b.files, File{Path: blobPath(digest), Content: data, Roles: roles(nil, need, true)})
}

// head returns the files that every role needs.
func (b *builder) head() ([]File, error) {
	index, err := json.Marshal(b.index)
	if err != nil {
		return nil, fmt.Errorf("cannot write image index: %w", err)
	}
	docker, err := json.Marshal(b.docker)
	if err != nil {
		return nil, fmt.Errorf("cannot write docker's image list: %w", err)
	}
	return []File{
		{Path: path.Join(Dir, layoutFile), Content: layoutContent()},
		{Path: path.Join(Dir, indexFile), Content: index},
		{Path: path.Join(Dir, dockerFile), Content: docker},
	}, nil
}

// emptyIndex is an OCI index without entries.
func emptyIndex() ocispec.Index {
	return ocispec.Index{Versioned: specs.Versioned{SchemaVersion: schemaVersion}, MediaType: OCIIndex, Manifests: []ocispec.Descriptor{}}
}

func layoutContent() []byte { return []byte(`{"imageLayoutVersion":"` + layoutVersion + `"}`) }

// entry is an image as docker's manifest.json lists it.
func entry(ref imageref.Reference, m *ocispec.Manifest) dockerEntry {
	e := dockerEntry{Config: blobName(m.Config.Digest.String()), RepoTags: []string{}, Layers: []string{}}
	if tag := ref.DockerTag(); tag != "" {
		e.RepoTags = append(e.RepoTags, tag)
	}
	for _, l := range m.Layers {
		e.Layers = append(e.Layers, blobName(l.Digest.String()))
	}
	return e
}

// dockerLoads reports whether docker load can unpack the layers of m. It detects
// gzip, and does not support zstd up to version 20.10.
func dockerLoads(m *ocispec.Manifest) bool {
	return !slices.ContainsFunc(m.Layers, func(l ocispec.Descriptor) bool { return strings.HasSuffix(l.MediaType, "zstd") })
}
