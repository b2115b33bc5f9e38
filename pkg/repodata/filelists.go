package repodata

import (
	"context"
	"fmt"
	"io"

	"kubecrate/pkg/nevra"
)

// ReadFilelists reads filelists.xml, decompressed, and calls fn for every
// package with the checksum that identifies it in primary.xml, its NEVRA and
// those of its files that keep accepts, which fn may keep; nil accepts all. The
// full lists of a distribution are hundreds of megabytes, what is asked for is a
// handful. keep must not hold on to path. A package without that checksum, or
// whose version cannot be understood, is passed over.
func ReadFilelists(ctx context.Context, r io.Reader, keep func(path []byte) bool,
	fn func(pkgid string, n nevra.NEVRA, files []nevra.File) error,
) error {
	p := &primary{scanner: newScanner(r), strings: interner{}}
	if err := p.readLists(ctx, keep, fn); err != nil {
		return fmt.Errorf("cannot read filelists.xml: %w", err)
	}
	return nil
}

func (p *primary) readLists(ctx context.Context, keep func(path []byte) bool,
	fn func(pkgid string, n nevra.NEVRA, files []nevra.File) error,
) error {
	if err := p.root("filelists", spaceFilelists); err != nil {
		return err
	}
	return p.packages(ctx, func(count int) error {
		pkgid, _ := p.attr("pkgid")
		id := string(pkgid)
		p.odd = nil
		n, err := p.readList(keep)
		if err != nil {
			return fmt.Errorf("package %s: %w", describe(n, count), err)
		}
		if id == "" || p.odd != nil {
			return nil
		}
		return fn(id, n, append([]nevra.File(nil), p.files...))
	})
}

// readList reads one <package> of filelists.xml; its files end up in p.files.
func (p *primary) readList(keep func(path []byte) bool) (nevra.NEVRA, error) {
	name, _ := p.attr("name")
	arch, _ := p.attr("arch")
	n := nevra.NEVRA{Name: p.strings.get(name), Arch: p.strings.get(arch)}
	p.files = p.files[:0]
	err := p.children(func() (err error) {
		switch {
		case p.foreign():
		case string(p.local) == "version":
			n.EVR = p.evr()
		case string(p.local) == "file":
			p.files, err = p.file(p.files, keep)
			return err
		}
		return p.skip()
	})
	return n, err
}
