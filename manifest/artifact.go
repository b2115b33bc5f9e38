package manifest

// Kind says what an Artifact is, as index.json of an archive names it.
type Kind string

// The kinds of archive members. An OCI layout's files are all of kind image, a
// yum repository's metadata is of kind repodata, what describes the bundle
// (bundle.yaml, bundle.lock, SHA256SUMS, sbom.spdx.json) of kind meta.
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
// the roles that need it, sorted, and empty where every role does.
type Artifact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Kind   Kind   `json:"kind"`
	Roles  []Role `json:"roles,omitempty"`
}

// NeededBy says whether a host of role r needs a.
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
