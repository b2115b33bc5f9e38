package manifest

import "kubecrate/pkg/nevra"

// Lock is a resolved Manifest. Two builds from one lock produce the same
// archive. All hashes are 64 lower-case hex digits, sizes are bytes;
// digests of images are "sha256:" and 64 hex digits.
type Lock struct {
	APIVersion string          `yaml:"apiVersion" json:"apiVersion"`
	Kind       string          `yaml:"kind" json:"kind"` // "Lock"
	Name       string          `yaml:"name" json:"name"`
	Platform   Platform        `yaml:"platform" json:"platform"`
	Manifest   string          `yaml:"manifest" json:"manifest"` // Manifest.Digest of what was resolved
	Baseline   string          `yaml:"baseline" json:"baseline"` // sha256 of the baseline's text, "none" without one
	Packages   []LockedPackage `yaml:"packages" json:"packages"`
	Images     []LockedImage   `yaml:"images" json:"images"`
	Files      []LockedFile    `yaml:"files" json:"files"`
}

// LockedPackage is one RPM. Location is the href of the repository's metadata,
// relative to its base URL; URL is where it was found. Why holds every direct
// reason for choosing it, in the order of the solver.
type LockedPackage struct {
	NEVRA    nevra.NEVRA `yaml:"nevra" json:"nevra"`
	Repo     string      `yaml:"repo" json:"repo"`
	Location string      `yaml:"location" json:"location"`
	URL      string      `yaml:"url" json:"url"`
	Size     int64       `yaml:"size" json:"size"`
	SHA256   string      `yaml:"sha256" json:"sha256"`
	// Relations is the sha256 of the package's relations in the repository's
	// metadata, the solver's input. "" in locks of older versions.
	Relations string `yaml:"relations,omitempty" json:"relations,omitempty"`

	Upgrades nevra.NEVRA    `yaml:"upgrades,omitempty" json:"upgrades,omitzero"` // the package of the baseline that it replaces
	Why      []LockedReason `yaml:"why" json:"why"`
}

// LockedReason is a reason for a package: Root is the manifest's entry for it;
// otherwise the package By requires Requires.
type LockedReason struct {
	Root     string `yaml:"root,omitempty" json:"root,omitempty"`
	By       string `yaml:"by,omitempty" json:"by,omitempty"` // NEVRA
	Requires string `yaml:"requires,omitempty" json:"requires,omitempty"`
}

// LockedImage is one image of one platform. Name is canonical, Source the
// reference it was pulled by, without a digest; Digest is the manifest's (of
// the platform, not of an index). Config and Layers describe its blobs.
type LockedImage struct {
	Name       string        `yaml:"name" json:"name"`
	Source     string        `yaml:"source" json:"source"`
	Digest     string        `yaml:"digest" json:"digest"`
	Index      string        `yaml:"index,omitempty" json:"index,omitempty"` // digest of the index that lists it
	Platform   string        `yaml:"platform" json:"platform"`               // "linux/amd64"
	CPU        string        `yaml:"cpu,omitempty" json:"cpu,omitempty"`     // the lowest level it is known to run on: "x86-64-v2"
	MediaType  string        `yaml:"mediaType" json:"mediaType"`             // of the manifest
	Size       int64         `yaml:"size" json:"size"`                       // of the manifest
	Config     LockedBlob    `yaml:"config" json:"config"`
	Layers     []LockedLayer `yaml:"layers" json:"layers"`
	Roles      []Role        `yaml:"roles,omitempty" json:"roles,omitempty"`
	KeepDigest bool          `yaml:"keepDigest,omitempty" json:"keepDigest,omitempty"`
	From       string        `yaml:"from,omitempty" json:"from,omitempty"` // path of the YAML that names it
}

// LockedBlob is a blob in a registry.
type LockedBlob struct {
	Digest string `yaml:"digest" json:"digest"`
	Size   int64  `yaml:"size" json:"size"`
}

// LockedLayer is a layer: the blob in the registry, its media type,
// and the digest of the tar inside, from the image's config.
type LockedLayer struct {
	LockedBlob `yaml:",inline"`
	MediaType  string `yaml:"mediaType" json:"mediaType"`
	DiffID     string `yaml:"diffID" json:"diffID"`
}

// LockedFile is a file by its content.
type LockedFile struct {
	Path   string `yaml:"path" json:"path"`
	URL    string `yaml:"url" json:"url"`
	Size   int64  `yaml:"size" json:"size"`
	SHA256 string `yaml:"sha256" json:"sha256"`
	Roles  []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
}
