package nevra

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
