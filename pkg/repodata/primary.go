package repodata

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kubecrate/pkg/nevra"
)

// Bounds of one document. EPEL 7 and Fedora, the largest there are, hold some
// 14,000 and 70,000 packages; texlive and kernel packages some 10,000 relations.
const (
	maxPackages  = 1 << 20
	maxRelations = 1 << 18 // of one kind, of one package
	maxFiles     = 1 << 20 // of one package
)

// ReadPrimary reads primary.xml, decompressed, and calls fn with every package
// in the order of the file. A package that cannot be taken, for it has no name,
// architecture, version, checksum, size or location, a name that could not be a
// file's, or a relation that cannot be understood, comes with its Unusable set;
// only damage to the document itself is an error. Epochs of 0 are read as none;
// a relation with an operator but no version, or the other way round, is one for
// any version, as rpm has it. An error of fn ends the reading and is returned.
func ReadPrimary(ctx context.Context, r io.Reader, fn func(*Package) error) error {
	p := &primary{scanner: newScanner(r), strings: interner{}}
	if err := p.read(ctx, fn); err != nil {
		return fmt.Errorf("cannot read primary.xml: %w", err)
	}
	return nil
}

// interner keeps one copy of every string: names and versions come up often.
type interner map[string]string

func (in interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	in[s] = s
	return s
}

type primary struct {
	*scanner
	strings   interner
	relations []nevra.Relation // scratch
	spare     []nevra.Relation // room for relations of packages to come
	files     []nevra.File     // scratch
	pkg       *Package
	sized     bool
	odd       error // why the current package cannot be taken
}

// oddity notes what is wrong with the current package; the first counts.
func (p *primary) oddity(err error) {
	if p.odd == nil {
		p.odd = err
	}
}

func (p *primary) read(ctx context.Context, fn func(*Package) error) error {
	if err := p.root("metadata", spaceCommon); err != nil {
		return err
	}
	return p.packages(ctx, func(count int) error {
		if err := p.readPackage(); err != nil {
			return fmt.Errorf("package %s: %w", describe(p.pkg.NEVRA, count), err)
		}
		return fn(p.pkg)
	})
}

// packages calls read at every <package> of the document, up to its end; count
// starts at 1.
func (p *primary) packages(ctx context.Context, read func(count int) error) error {
	count := 0
	err := p.children(func() error {
		if string(p.local) != "package" || p.foreign() {
			return p.skip()
		}
		if count++; count > maxPackages {
			return fmt.Errorf("more than %d packages", maxPackages)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return read(count)
	})
	if err != nil {
		return err
	}
	return p.finishDocument()
}

// describe names a package in an error, by what is known of it.
func describe(n nevra.NEVRA, count int) string {
	switch {
	case n.Name == "":
		return fmt.Sprintf("number %d", count)
	case n.Version == "":
		return n.Name
	}
	return n.String()
}

// foreign says whether the current element is of a namespace that is not
// metadata's, such as SUSE's additions.
func (s *scanner) foreign() bool { return s.space == spaceForeign }

func (p *primary) readPackage() error {
	p.pkg, p.sized, p.odd = &Package{}, false, nil
	if kind, ok := p.attr("type"); ok && string(kind) != "rpm" {
		p.oddity(fmt.Errorf("type %q is not rpm", kind))
	}
	if err := p.children(p.readField); err != nil {
		return err
	}
	_, err := FileName(p.pkg.NEVRA)
	switch {
	case p.odd != nil:
	case err != nil:
		p.odd = err
	case p.pkg.Checksum.Type == "":
		p.odd = errors.New("it has no checksum")
	case p.pkg.Location == "":
		p.odd = errors.New("it has no location")
	case !p.sized:
		p.odd = errors.New("it has no size")
	}
	p.pkg.Unusable = p.odd
	return nil
}

// readField reads one child of <package>.
func (p *primary) readField() (err error) {
	if p.foreign() {
		return p.skip()
	}
	pkg := p.pkg
	switch string(p.local) {
	case "name":
		pkg.Name, err = p.interned()
	case "arch":
		pkg.Arch, err = p.interned()
	case "version":
		pkg.EVR = p.evr()
		return p.skip()
	case "checksum":
		return p.readChecksum()
	case "summary":
		pkg.Summary, err = p.copied()
	case "description":
		pkg.Description, err = p.copied()
	case "packager":
		pkg.Packager, err = p.interned()
	case "url":
		pkg.URL, err = p.interned()
	case "time":
		return p.numbers(numberAttr{"file", &pkg.FileTime}, numberAttr{"build", &pkg.BuildTime})
	case "size":
		var size []byte
		if size, p.sized = p.attr("package"); p.sized {
			if _, err := parseCount("size package", size); err != nil {
				p.oddity(err)
			}
		}
		return p.numbers(numberAttr{"package", &pkg.Size}, numberAttr{"installed", &pkg.InstalledSize},
			numberAttr{"archive", &pkg.ArchiveSize})
	case "location":
		pkg.Location, pkg.Base = p.location()
		return p.skip()
	case "format":
		return p.readFormat()
	default:
		return p.skip()
	}
	return err
}

// readFormat reads <format>: the rpm: fields and the files.
func (p *primary) readFormat() error {
	p.files = p.files[:0]
	err := p.children(p.readFormatField)
	p.pkg.Files = append([]nevra.File(nil), p.files...)
	return err
}

func (p *primary) readFormatField() (err error) {
	if p.foreign() {
		return p.skip()
	}
	pkg := p.pkg
	switch string(p.local) {
	case "license":
		pkg.License, err = p.interned()
	case "vendor":
		pkg.Vendor, err = p.interned()
	case "group":
		pkg.Group, err = p.interned()
	case "buildhost":
		pkg.BuildHost, err = p.interned()
	case "sourcerpm":
		pkg.SourceRPM, err = p.interned()
	case "header-range":
		return p.numbers(numberAttr{"start", &pkg.HeaderStart}, numberAttr{"end", &pkg.HeaderEnd})
	case "file":
		p.files, err = p.file(p.files, nil)
	default:
		dst := pkg.relationsOf(string(p.local))
		if dst == nil {
			return p.skip()
		}
		*dst, err = p.readRelations(string(p.local))
	}
	return err
}

// relationsOf is where the relations of an element of <format> go, nil where
// it is none.
func (pkg *Package) relationsOf(element string) *[]nevra.Relation {
	switch element {
	case "provides":
		return &pkg.Provides
	case "requires":
		return &pkg.Requires
	case "conflicts":
		return &pkg.Conflicts
	case "obsoletes":
		return &pkg.Obsoletes
	case "suggests":
		return &pkg.Suggests
	case "enhances":
		return &pkg.Enhances
	case "recommends":
		return &pkg.Recommends
	case "supplements":
		return &pkg.Supplements
	}
	return nil
}

func (p *primary) interned() (string, error) {
	text, err := p.content()
	return p.strings.get(text), err
}

func (p *primary) copied() (string, error) {
	text, err := p.content()
	return string(text), err
}

// readChecksum reads the checksum that identifies the package.
func (p *primary) readChecksum() error {
	c, err := p.checksum(false)
	if err != nil {
		return err
	}
	if _, err := parseChecksum(c.Type, c.Value); err != nil {
		p.oddity(err)
	}
	p.pkg.Checksum = Checksum{Type: p.strings.get([]byte(c.Type)), Value: c.Value}
	return nil
}

func (p *primary) evr() nevra.EVR {
	epoch, _ := p.attr("epoch")
	version, _ := p.attr("ver")
	release, _ := p.attr("rel")
	for _, c := range epoch {
		if c < '0' || c > '9' {
			p.oddity(fmt.Errorf("epoch %q is not a number", epoch))
			epoch = nil
			break
		}
	}
	if string(epoch) == "0" {
		epoch = nil
	}
	return nevra.EVR{Epoch: p.strings.get(epoch), Version: p.strings.get(version), Release: p.strings.get(release)}
}

type numberAttr struct {
	name string
	dst  *int64
}

// numbers reads attributes that hold numbers and the rest of their element. One
// that is absent, or is not a number, leaves its number alone.
func (s *scanner) numbers(attrs ...numberAttr) error {
	for _, a := range attrs {
		if value, ok := s.attr(a.name); ok {
			if n, err := parseCount(a.name, value); err == nil {
				*a.dst = n
			}
		}
	}
	return s.skip()
}

// file reads <file type="T">PATH</file> and appends it to files, unless keep is
// there and says no. A type that is not known means nothing, as with dnf.
func (p *primary) file(files []nevra.File, keep func(path []byte) bool) ([]nevra.File, error) {
	f := nevra.File{}
	if kind, ok := p.attr("type"); ok {
		switch string(kind) {
		case "dir":
			f.Type = nevra.Dir
		case "ghost":
			f.Type = nevra.Ghost
		}
	}
	text, err := p.content()
	if err != nil || keep != nil && !keep(text) {
		return files, err
	}
	if len(files) == maxFiles {
		p.oddity(fmt.Errorf("more than %d files", maxFiles))
		return files, nil
	}
	f.Path = string(text)
	return append(files, f), nil
}
