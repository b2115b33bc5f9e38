// Package manifest is the vocabulary of kubecrate: what a bundle should contain
// (Manifest), its exact contents (Lock), and one member of it (Artifact). It embeds
// profiles, which are complete manifests.
package manifest

// APIVersion is the value of apiVersion in manifests and locks.
const APIVersion = "kubecrate/v1"

// Manifest describes the contents of a bundle, by name and version. It is written
// by a person and read by Parse, which refuses unknown keys.
//
// Extends names a profile, or a manifest by a path relative to this one, which this
// one overrides: a value replaces the inherited one. An entry of packages.roots
// replaces the inherited entries of the same package, one of images.list those of
// the same repository, one of files those of the same path; other entries are
// added. "-NAME" in packages.roots or images.list removes an inherited entry.
// packages.exclude is added to. A repository with an inherited id replaces the keys
// it has, images.mirrors the mirrors of the registries it has.
type Manifest struct {
	APIVersion string   `yaml:"apiVersion" json:"apiVersion"`
	Kind       string   `yaml:"kind" json:"kind"`
	Name       string   `yaml:"name" json:"name"`
	Extends    string   `yaml:"extends,omitempty" json:"extends,omitempty"`
	Platform   Platform `yaml:"platform" json:"platform"`
	Kubernetes string   `yaml:"kubernetes" json:"kubernetes"`
	Runtime    string   `yaml:"runtime" json:"runtime"`
	Network    string   `yaml:"network" json:"network"`
	Packages   Packages `yaml:"packages" json:"packages"`
	Images     Images   `yaml:"images" json:"images"`
	Files      []File   `yaml:"files,omitempty" json:"files,omitempty"`

	origin *origin // nil if it was not loaded
}

// Platform is the target, never the build machine. Family is an OS
// family ("el7"), Arch a Go architecture ("amd64", "arm64").
type Platform struct {
	Family string `yaml:"family" json:"family"`
	Arch   string `yaml:"arch" json:"arch"`
}

// RPMArch is the architecture as rpm names it ("x86_64", "aarch64").
func (p Platform) RPMArch() string {
	switch p.Arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return p.Arch
}

// Packages describes the RPMs: roots, the packages that the target already has
// (Baseline: an embedded name, a file of NEVRAs, or "none") and the repositories.
type Packages struct {
	Baseline string   `yaml:"baseline,omitempty" json:"baseline,omitempty"`
	Weak     bool     `yaml:"weak,omitempty" json:"weak,omitempty"`
	Roots    []string `yaml:"roots" json:"roots"`
	Exclude  []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// Modules are streams of modular repositories, "NAME:STREAM", that replace the
	// default ones.
	Modules []string `yaml:"modules,omitempty" json:"modules,omitempty"`
	Repos   []Repo   `yaml:"repos" json:"repos"`
}

// Repo is one yum repository. BaseURL holds mirrors of the same content, tried
// in order. GPGKey holds URLs, paths or "embedded:NAME"; Fingerprints pins the
// keys: a key with another fingerprint is not trusted. GPGCheck nil is true.
// A lower Priority wins; 0 means 99, as in yum. In URLs $basearch, $arch and
// $releasever are those of the target ("x86_64", "7").
type Repo struct {
	ID           string   `yaml:"id" json:"id"`
	BaseURL      []string `yaml:"baseurl" json:"baseurl"`
	GPGKey       []string `yaml:"gpgkey,omitempty" json:"gpgkey,omitempty"`
	Fingerprints []string `yaml:"fingerprints,omitempty" json:"fingerprints,omitempty"`
	GPGCheck     *bool    `yaml:"gpgcheck,omitempty" json:"gpgcheck,omitempty"`
	Priority     int      `yaml:"priority,omitempty" json:"priority,omitempty"`
}

// Checked reports whether packages of r must be signed by a pinned key.
func (r Repo) Checked() bool { return r.GPGCheck == nil || *r.GPGCheck }

// Rank is the effective priority: Priority, or 99 if that is 0.
func (r Repo) Rank() int {
	if r.Priority == 0 {
		return 99
	}
	return r.Priority
}

// Images holds the container images and, by registry, the mirrors to pull them
// from ("k8s.gcr.io" -> "registry.example/google_containers"), tried in order.
type Images struct {
	Mirrors map[string][]string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	List    []Image             `yaml:"list" json:"list"`
}

// Image is one image under its canonical name. In YAML it may be just the name.
// Empty Roles are derived from the name, see Manifest.RolesOf.
type Image struct {
	Name       string `yaml:"name" json:"name"`
	Roles      []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	KeepDigest bool   `yaml:"keepDigest,omitempty" json:"keepDigest,omitempty"`
}

// File is a file packed unchanged. URL holds its locations, tried in order: https,
// http, file, a path relative to the manifest, or "embedded:NAME", which comes first.
// In YAML it may be a single one. Path is its path in the archive. If Images is set,
// the images that this YAML names are added to the list. A file with a Network is
// packed only if that is the manifest's network.
type File struct {
	URL     URLs   `yaml:"url" json:"url"`
	Path    string `yaml:"path" json:"path"`
	SHA256  string `yaml:"sha256,omitempty" json:"sha256,omitempty"`
	Images  bool   `yaml:"images,omitempty" json:"images,omitempty"`
	Network string `yaml:"network,omitempty" json:"network,omitempty"`
	Roles   []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
}

// Role is what a host becomes.
type Role string

// The roles of hosts. A host of role single needs what both other roles need.
const (
	Master Role = "master"
	Node   Role = "node"
	Single Role = "single"
)
