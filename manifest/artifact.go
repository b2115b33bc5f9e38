package manifest

// Kind is the kind of an Artifact, as in an archive's index.json.
type Kind string

// The kinds of archive members. All files of an OCI layout are images, the metadata
// of a yum repository is repodata, and the files that describe the bundle
// (bundle.yaml, bundle.lock, SHA256SUMS, sbom.spdx.json) are meta.
const (
	KindRPM      Kind = "rpm"
	KindRepodata Kind = "repodata"
	KindImage    Kind = "image"
	KindFile     Kind = "file"
	KindBinary   Kind = "binary"
	KindMeta     Kind = "meta"
)

// Artifact is one member of a bundle. Path is slash-separated and relative,
// valid for io/fs; Size is bytes; SHA256 is 64 lower-case hex digits; Roles are
// the roles that need it, sorted; empty means every role.
type Artifact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Kind   Kind   `json:"kind"`
	Roles  []Role `json:"roles,omitempty"`
}

// NeededBy reports whether a host of role r needs a.
func (a Artifact) NeededBy(r Role) bool {
	if len(a.Roles) == 0 || r == Single {
		return true
	}
	for _, role := range a.Roles {
		if role == r {
			return true
		}
	}
	return false
}
