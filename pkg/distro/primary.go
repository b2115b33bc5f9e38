package distro

import (
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"kubecrate/pkg/nevra"
)

// relations are what a package of the bundle says about others, and the files
// that primary.xml lists: those in bin directories and in /etc.
type relations struct {
	conflicts, obsoletes []nevra.Relation
	files                []string
}

// mostPrimary bounds primary.xml, unpacked: 20,000 packages have 100 MB.
const mostPrimary = 128 << 20

// readPrimary reads the bundle's own primary.xml, by label of package.
func readPrimary(archive fs.FS) (map[string]relations, error) {
	const dir = "rpms/repodata"
	entries, err := fs.ReadDir(archive, dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the bundle's packages: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "primary.xml.gz") {
			all, err := openPrimary(archive, path.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("cannot read the bundle's %s: %w", e.Name(), err)
			}
			return all, nil
		}
	}
	return nil, errors.New("cannot read the bundle's packages: it has no primary.xml.gz")
}

func openPrimary(archive fs.FS, name string) (all map[string]relations, err error) {
	f, err := archive.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return parsePrimary(io.LimitReader(z, mostPrimary))
}

// primaryPackage is a package element of primary.xml, as createrepo writes it
// (https://rpm-software-management.github.io/createrepo_c/).
type primaryPackage struct {
	Name    string       `xml:"name"`
	Arch    string       `xml:"arch"`
	Version primaryEntry `xml:"version"`
	Format  struct {
		Conflicts []primaryEntry `xml:"conflicts>entry"`
		Obsoletes []primaryEntry `xml:"obsoletes>entry"`
		Files     []struct {
			Type string `xml:"type,attr"`
			Path string `xml:",chardata"`
		} `xml:"file"`
	} `xml:"format"`
}

type primaryEntry struct {
	Name    string `xml:"name,attr"`
	Flags   string `xml:"flags,attr"`
	Epoch   string `xml:"epoch,attr"`
	Version string `xml:"ver,attr"`
	Release string `xml:"rel,attr"`
}

func (e primaryEntry) evr() nevra.EVR {
	v := nevra.EVR{Epoch: e.Epoch, Version: e.Version, Release: e.Release}
	if v.Epoch == "0" {
		v.Epoch = ""
	}
	return v
}

func (e primaryEntry) relation() nevra.Relation {
	ops := map[string]nevra.Op{"EQ": nevra.EQ, "LT": nevra.LT, "LE": nevra.LE, "GT": nevra.GT, "GE": nevra.GE}
	return nevra.Relation{Name: e.Name, Op: ops[e.Flags], EVR: e.evr()}
}

// parsePrimary reads one package after the other; it keeps only relations.
func parsePrimary(r io.Reader) (map[string]relations, error) {
	all := map[string]relations{}
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "package" {
			continue
		}
		var p primaryPackage
		if err := d.DecodeElement(&p, &start); err != nil {
			return nil, err
		}
		all[label(nevra.NEVRA{Name: p.Name, Arch: p.Arch, EVR: p.Version.evr()})] = p.relations()
	}
}

func (p primaryPackage) relations() relations {
	var r relations
	for _, e := range p.Format.Conflicts {
		r.conflicts = append(r.conflicts, e.relation())
	}
	for _, e := range p.Format.Obsoletes {
		r.obsoletes = append(r.obsoletes, e.relation())
	}
	for _, f := range p.Format.Files {
		if f.Type == "" && !strings.HasPrefix(f.Path, "/etc/") {
			r.files = append(r.files, f.Path)
		}
	}
	return r
}
