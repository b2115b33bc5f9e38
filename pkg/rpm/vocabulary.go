package rpm

import "kubecrate/pkg/nevra"

// The names, versions and relations of packages are package nevra's, which the
// installer shares and which knows no cryptography.
type (
	// EVR is nevra.EVR.
	EVR = nevra.EVR
	// NEVRA is nevra.NEVRA.
	NEVRA = nevra.NEVRA
	// Op is nevra.Op.
	Op = nevra.Op
	// Relation is nevra.Relation.
	Relation = nevra.Relation
)

// The comparisons of a Relation, see nevra.Op.
const (
	Any = nevra.Any
	LT  = nevra.LT
	GT  = nevra.GT
	EQ  = nevra.EQ
	LE  = nevra.LE
	GE  = nevra.GE
)

// Vercmp is nevra.Vercmp.
func Vercmp(a, b string) int { return nevra.Vercmp(a, b) }

// ParseEVR is nevra.ParseEVR.
func ParseEVR(s string) EVR { return nevra.ParseEVR(s) }

// ParseNEVRA is nevra.Parse.
func ParseNEVRA(s string) (NEVRA, error) { return nevra.Parse(s) }

// Metadata is what dependency resolution and yum metadata need to know of a
// package, read from its header or from a repository's primary.xml. Sizes are
// bytes. Files holds absolute paths; read from primary.xml it holds only the
// few that createrepo keeps there.
type Metadata struct {
	NEVRA
	Summary       string
	Description   string
	License       string
	Vendor        string
	Group         string
	Packager      string
	URL           string
	SourceRPM     string
	BuildHost     string
	BuildTime     int64 // seconds since the epoch
	InstalledSize int64 // bytes, header tag SIZE
	ArchiveSize   int64 // bytes of the uncompressed payload
	Provides      []Relation
	Requires      []Relation
	Conflicts     []Relation
	Obsoletes     []Relation
	Recommends    []Relation
	Suggests      []Relation
	Supplements   []Relation
	Enhances      []Relation
	Files         []File
}

// File is one path a package owns.
type File struct {
	Path string
	Type FileType
}

// FileType is the type attribute of <file> in yum metadata.
type FileType uint8

// Plain files carry no attribute, directories "dir", ghosts "ghost".
const (
	Plain FileType = iota
	Dir
	Ghost
)
