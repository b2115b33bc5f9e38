package rpm

import (
	"fmt"
	"strconv"
	"strings"

	"kubecrate/pkg/nevra"
)

// Limits of one package, so that a small file cannot use much memory. The largest
// packages in use have about 100,000 files and 10,000 relations.
const (
	maxFiles     = 1 << 20
	maxRelations = 1 << 16
	maxPath      = 4096     // PATH_MAX
	maxPathBytes = 32 << 20 // all paths of a package together
	maxNamePart  = 255      // NAME_MAX: name, version, release, architecture
)

// Tags of the header; source: rpm, include/rpm/rpmtag.h.
const (
	tagName            = 1000
	tagVersion         = 1001
	tagRelease         = 1002
	tagEpoch           = 1003
	tagSummary         = 1004
	tagDescription     = 1005
	tagBuildTime       = 1006
	tagBuildHost       = 1007
	tagSize            = 1009
	tagVendor          = 1011
	tagLicense         = 1014
	tagPackager        = 1015
	tagGroup           = 1016
	tagURL             = 1020
	tagArch            = 1022
	tagOldFileNames    = 1027
	tagFileModes       = 1030
	tagFileFlags       = 1037
	tagSourceRPM       = 1044
	tagArchiveSize     = 1046
	tagDirIndexes      = 1116
	tagBaseNames       = 1117
	tagDirNames        = 1118
	tagLongSize        = 5009
	tagLongArchiveSize = 271
	tagPayloadDigest   = 5092
	tagPayloadDigestAl = 5093
	tagRPMFormat       = 5114
)

// relationTags are the tags of one kind of relation: names, flags, versions.
type relationTags struct{ name, flags, version uint32 }

// decoder reads tags and records the first error.
type decoder struct {
	*header
	err error
}

func (d *decoder) keep(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) str(tag uint32) string {
	s, err := d.text(tag)
	d.keep(err)
	return s
}

func (d *decoder) num(tags ...uint32) int64 {
	for _, tag := range tags {
		n, ok, err := d.number(tag)
		d.keep(err)
		if ok {
			return n
		}
	}
	return 0
}

// metadata reads the tags for dependency resolution and yum metadata.
//
// Relations keep the order of the header, and all of them are kept: Requires
// includes rpm's own features, "rpmlib(...)", which a writer of yum metadata and a
// solver omit; a relation that starts with "(" is a rich dependency. Pre is set
// like by createrepo_c, for PREREQ, %pre and %post.
// Summary, description and group are those of the first locale. A source
// package has the architecture "src".
func (f *file) metadata() (*nevra.Metadata, error) {
	d := &decoder{header: f.header}
	m := &nevra.Metadata{
		NEVRA:   d.nevra(),
		Summary: d.str(tagSummary), Description: d.str(tagDescription), License: d.str(tagLicense),
		Vendor: d.str(tagVendor), Group: d.str(tagGroup), Packager: d.str(tagPackager), URL: d.str(tagURL),
		SourceRPM: d.str(tagSourceRPM), BuildHost: d.str(tagBuildHost),
		BuildTime: d.num(tagBuildTime), InstalledSize: d.num(tagLongSize, tagSize),
	}
	for _, kind := range []struct {
		into *[]nevra.Relation
		tags relationTags
	}{
		{&m.Provides, relationTags{1047, 1112, 1113}},
		{&m.Requires, relationTags{1049, 1048, 1050}},
		{&m.Conflicts, relationTags{1054, 1053, 1055}},
		{&m.Obsoletes, relationTags{1090, 1114, 1115}},
		{&m.Recommends, relationTags{5046, 5048, 5047}},
		{&m.Suggests, relationTags{5049, 5051, 5050}},
		{&m.Supplements, relationTags{5052, 5054, 5053}},
		{&m.Enhances, relationTags{5055, 5057, 5056}},
	} {
		*kind.into = d.relations(kind.tags)
	}
	m.Files = d.files()
	m.ArchiveSize = f.archiveSize(d)
	if d.err == nil {
		d.err = checkName(m.NEVRA)
	}
	if d.err != nil {
		return nil, corrupt("the header: %w", d.err)
	}
	return m, nil
}

// archiveSize is in the signature header, or in the header of old packages.
func (f *file) archiveSize(d *decoder) int64 {
	s := &decoder{header: f.signature}
	size := s.num(tagLongArchiveSize, sigPayloadSize)
	d.keep(s.err)
	if size == 0 {
		size = d.num(tagLongArchiveSize, tagArchiveSize)
	}
	return size
}

func (d *decoder) nevra() nevra.NEVRA {
	n := nevra.NEVRA{Name: d.str(tagName), Arch: d.str(tagArch), EVR: nevra.EVR{Version: d.str(tagVersion), Release: d.str(tagRelease)}}
	epoch, ok, err := d.number(tagEpoch)
	d.keep(err)
	if ok {
		n.Epoch = strconv.FormatInt(epoch, 10)
	}
	// Every binary package names its source package; rpm (headerIsSource) and
	// createrepo_c use only that.
	if _, built := d.entries[tagSourceRPM]; !built {
		n.Arch = "src"
	}
	return n
}

// checkName rejects names that are unsafe as a file name or as an argument.
func checkName(n nevra.NEVRA) error {
	for _, part := range []struct{ what, value, forbidden string }{
		{"name", n.Name, "/"}, {"version", n.Version, "/-"}, {"release", n.Release, "/-"}, {"architecture", n.Arch, "/-."},
	} {
		switch {
		case part.value == "":
			return fmt.Errorf("it has no %s", part.what)
		case len(part.value) > maxNamePart:
			return fmt.Errorf("its %s has %d characters", part.what, len(part.value))
		case strings.ContainsAny(part.value, part.forbidden), part.value[0] == '-', part.value[0] == '.':
			return fmt.Errorf("its %s %q is invalid", part.what, part.value)
		case strings.ContainsFunc(part.value, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
			return fmt.Errorf("its %s %q is invalid", part.what, part.value)
		}
	}
	return nil
}

// Flags of a relation; source: rpm, include/rpm/rpmds.h, rpmsenseFlags.
const (
	senseLess       = 1 << 1
	senseGreater    = 1 << 2
	senseEqual      = 1 << 3
	sensePrereq     = 1 << 6
	senseScriptPre  = 1 << 9
	senseScriptPost = 1 << 10
)

func (d *decoder) relations(tags relationTags) []nevra.Relation {
	names, err := d.texts(tags.name, maxRelations)
	d.keep(err)
	flags, err := d.numbers(tags.flags, maxRelations)
	d.keep(err)
	versions, err := d.texts(tags.version, maxRelations)
	d.keep(err)
	// Packages older than rpm 4 have only names.
	if (flags != nil && len(flags) != len(names)) || (versions != nil && len(versions) != len(names)) {
		d.keep(fmt.Errorf("tags %d, %d and %d have %d, %d and %d values", tags.name, tags.flags, tags.version, len(names), len(flags), len(versions)))
	}
	if d.err != nil || len(names) == 0 {
		return nil
	}
	out := make([]nevra.Relation, len(names))
	for i, name := range names {
		out[i].Name = name
		if flags == nil {
			continue
		}
		out[i].Op = opOf(flags[i])
		out[i].Pre = flags[i]&(sensePrereq|senseScriptPre|senseScriptPost) != 0
		if versions != nil && out[i].Op != nevra.Any {
			out[i].EVR = nevra.ParseEVR(versions[i])
		}
	}
	return out
}

func opOf(flags uint64) nevra.Op {
	op := nevra.Any
	if flags&senseLess != 0 {
		op |= nevra.LT
	}
	if flags&senseGreater != 0 {
		op |= nevra.GT
	}
	if flags&senseEqual != 0 {
		op |= nevra.EQ
	}
	return op
}

// files reads the list of paths in either of its two forms.
func (d *decoder) files() []nevra.File {
	if _, old := d.entries[tagOldFileNames]; old {
		paths, err := d.texts(tagOldFileNames, maxFiles)
		d.keep(err)
		return d.types(paths)
	}
	bases, err := d.texts(tagBaseNames, maxFiles)
	d.keep(err)
	dirs, err := d.texts(tagDirNames, maxFiles)
	d.keep(err)
	indexes, err := d.numbers(tagDirIndexes, maxFiles)
	d.keep(err)
	if len(indexes) != len(bases) {
		d.keep(fmt.Errorf("%d file names but %d directory indexes", len(bases), len(indexes)))
	}
	if d.err != nil || len(bases) == 0 {
		return nil
	}
	paths, total := make([]string, len(bases)), 0
	for i, base := range bases {
		if indexes[i] >= uint64(len(dirs)) {
			d.keep(fmt.Errorf("file %d is in directory %d of %d", i, indexes[i], len(dirs)))
			return nil
		}
		dir := dirs[indexes[i]]
		if total += len(dir) + len(base); len(dir)+len(base) > maxPath || total > maxPathBytes {
			d.keep(fmt.Errorf("its paths are too long: %d bytes after %d files", total, i+1))
			return nil
		}
		paths[i] = dir + base
	}
	return d.types(paths)
}

// types adds the type of each path like createrepo_c: a directory by its mode,
// otherwise a ghost by its flags.
func (d *decoder) types(paths []string) []nevra.File {
	modes, err := d.numbers(tagFileModes, maxFiles)
	d.keep(err)
	flags, err := d.numbers(tagFileFlags, maxFiles)
	d.keep(err)
	if len(modes) != len(paths) || (flags != nil && len(flags) != len(paths)) {
		d.keep(fmt.Errorf("%d files but %d modes and %d flags", len(paths), len(modes), len(flags)))
	}
	if d.err != nil {
		return nil
	}
	const (
		formatMask, formatDir = 0o170000, 0o040000 // S_IFMT, S_IFDIR
		flagGhost             = 1 << 6             // RPMFILE_GHOST
	)
	out := make([]nevra.File, len(paths))
	for i, path := range paths {
		out[i].Path = path
		switch {
		case modes[i]&formatMask == formatDir:
			out[i].Type = nevra.Dir
		case i < len(flags) && flags[i]&flagGhost != 0:
			out[i].Type = nevra.Ghost
		}
	}
	return out
}
