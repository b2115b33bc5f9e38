// Package manifest is the vocabulary of kubecrate: what a bundle should hold
// (Manifest), what that means exactly (Lock), and one thing it holds
// (Artifact). The profiles it embeds are manifests that work as they are.
package manifest

// APIVersion is the value of apiVersion in manifests and locks.
const APIVersion = "kubecrate/v1"

// Manifest says what is wanted, by name and version. It is written by a person
// and read by Parse, which refuses what it does not know.
//
// Extends names a profile, or a manifest by a path relative to this one, and
// what is written here is laid over it: a value replaces the inherited one. Of
// packages.roots an entry replaces the inherited entries of the same package, of
// images.list those of the same repository, of files those of the same path, and
// otherwise joins them; "-NAME" in packages.roots or images.list takes an
// inherited entry away. packages.exclude joins. A repository of a known id
// replaces the keys it has, images.mirrors the mirrors of the registries it has.
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

	origin *origin // nil when it was made by hand
}

// Platform is the target, never the machine that builds. Family is an OS
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

// Packages are the RPMs: roots, what the target has already (Baseline: an
// embedded name, a file of NEVRAs, or "none") and where the rest comes from.
type Packages struct {
	Baseline string   `yaml:"baseline,omitempty" json:"baseline,omitempty"`
	Weak     bool     `yaml:"weak,omitempty" json:"weak,omitempty"`
	Roots    []string `yaml:"roots" json:"roots"`
	Exclude  []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// Modules are streams of modular repositories, "NAME:STREAM", that take the
	// place of the default ones.
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

// Checked says whether packages of r must carry a signature of a pinned key.
func (r Repo) Checked() bool { return r.GPGCheck == nil || *r.GPGCheck }

// Rank is the effective priority: Priority, or 99 where that is 0.
func (r Repo) Rank() int {
	if r.Priority == 0 {
		return 99
	}
	return r.Priority
}

// Images are the container images and, by registry, the mirrors to pull them
// from ("k8s.gcr.io" -> "registry.example/google_containers"), tried in order.
type Images struct {
	Mirrors map[string][]string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	List    []Image             `yaml:"list" json:"list"`
}

// Image is one image under its canonical name. In YAML it may be just the
// name. Roles empty means that they follow from the name, see Manifest.RolesOf.
type Image struct {
	Name       string `yaml:"name" json:"name"`
	Roles      []Role `yaml:"roles,omitempty" json:"roles,omitempty"`
	KeepDigest bool   `yaml:"keepDigest,omitempty" json:"keepDigest,omitempty"`
}

// File is a file carried as it is. URL holds the places where it is, tried in order:
// https, http, file, a path relative to the manifest, or "embedded:NAME", which is at
// hand and comes first. In YAML it may be just one of them. Path is where it stands in the archive. Images
// says that the images this YAML names join the list. A file with a Network is
// carried only where that is the manifest's network.
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

// The roles of hosts. A host of role single needs what both need.
const (
	Master Role = "master"
	Node   Role = "node"
	Single Role = "single"
)
