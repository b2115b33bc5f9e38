package repodata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"

	"github.com/klauspost/compress/gzip"
)

// WriteOptions are what Write does not find in the packages.
type WriteOptions struct {
	Revision string // of repomd.xml, "" is "0"
}

// Write writes the metadata of a repository that holds pkgs: repodata/repomd.xml
// and, named by their sha256 and compressed with gzip, primary.xml, filelists.xml
// and other.xml (without changelogs). create makes a file of the repository by
// its slash-separated name; repomd.xml comes last. Equal packages and options
// give equal bytes, in whatever order the packages come.
//
// Files of a package must be complete; primary.xml gets those createrepo_c puts
// there. Requirements are thinned as createrepo_c does, see requires.
func Write(create func(name string) (io.WriteCloser, error), pkgs []Package, opt WriteOptions) error {
	sorted, err := order(pkgs)
	if err != nil {
		return fmt.Errorf("cannot write repository metadata: %w", err)
	}
	if opt.Revision == "" {
		opt.Revision = "0"
	}
	var list []Data
	for _, doc := range []struct {
		kind, root, ns string
		write          func(*xmlWriter, *Package)
	}{
		{Primary, "metadata", nsCommon, writePrimary},
		{Filelists, "filelists", nsFilelists, writeFilelist},
		{Other, "otherdata", nsOther, writeOther},
	} {
		d, err := writeDocument(create, doc.kind, func(w *xmlWriter) {
			w.open(0, doc.root)
			w.attr("xmlns", doc.ns)
			if doc.kind == Primary {
				w.attr("xmlns:rpm", nsRPM)
			}
			w.attr("packages", strconv.Itoa(len(sorted)))
			w.raw(">\n")
			for _, p := range sorted {
				doc.write(w, p)
			}
			w.raw("</" + doc.root + ">\n")
		})
		if err != nil {
			return fmt.Errorf("cannot write %s.xml: %w", doc.kind, err)
		}
		list = append(list, d)
	}
	if err := writeRepomd(create, list, opt); err != nil {
		return fmt.Errorf("cannot write repomd.xml: %w", err)
	}
	return nil
}

// order sorts the packages by location and refuses what could not be read back.
func order(pkgs []Package) ([]*Package, error) {
	sorted := make([]*Package, len(pkgs))
	for i := range pkgs {
		p := &pkgs[i]
		sorted[i] = p
		if _, err := FileName(p.NEVRA); err != nil {
			return nil, err
		}
		if _, err := parseChecksum(p.Checksum.Type, p.Checksum.Value); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.NEVRA, err)
		}
		if p.Location == "" {
			return nil, fmt.Errorf("package %s has no location", p.NEVRA)
		}
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Location < sorted[j].Location })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Location == sorted[i-1].Location {
			return nil, fmt.Errorf("packages %s and %s have the same location %s",
				sorted[i-1].NEVRA, sorted[i].NEVRA, sorted[i].Location)
		}
	}
	return sorted, nil
}

// writeDocument writes one compressed file under the name its checksum gives.
// Compressed metadata of a bundle is well below a megabyte, so it is held in
// memory until the name is known.
func writeDocument(create func(string) (io.WriteCloser, error), kind string, fill func(*xmlWriter)) (Data, error) {
	var packed bytes.Buffer
	zw, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return Data{}, err
	}
	sum := sha256.New()
	w := newXMLWriter(io.MultiWriter(zw, sum))
	w.raw(xmlHeader)
	fill(w)
	if err := errors.Join(w.flush(), zw.Close()); err != nil {
		return Data{}, err
	}
	hash := sha256.Sum256(packed.Bytes())
	d := Data{
		Type: kind, Size: int64(packed.Len()), OpenSize: w.n,
		Checksum:     Checksum{"sha256", hex.EncodeToString(hash[:])},
		OpenChecksum: Checksum{"sha256", hex.EncodeToString(sum.Sum(nil))},
	}
	d.Location = "repodata/" + d.Checksum.Value + "-" + kind + ".xml.gz"
	return d, writeFile(create, d.Location, packed.Bytes())
}

func writeFile(create func(string) (io.WriteCloser, error), name string, content []byte) error {
	f, err := create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func writeRepomd(create func(string) (io.WriteCloser, error), list []Data, opt WriteOptions) error {
	var buf bytes.Buffer
	w := newXMLWriter(&buf)
	w.raw(xmlHeader)
	w.raw(`<repomd xmlns="` + nsRepo + `" xmlns:rpm="` + nsRPM + "\">\n")
	w.text(2, "revision", opt.Revision)
	for _, d := range list {
		w.open(2, "data")
		w.attr("type", d.Type)
		w.raw(">\n")
		w.sum(4, "checksum", d.Checksum)
		w.sum(4, "open-checksum", d.OpenChecksum)
		w.open(4, "location")
		w.attr("href", d.Location)
		w.raw("/>\n")
		w.text(4, "timestamp", "0")
		w.text(4, "size", strconv.FormatInt(d.Size, 10))
		w.text(4, "open-size", strconv.FormatInt(d.OpenSize, 10))
		w.raw("  </data>\n")
	}
	w.raw("</repomd>\n")
	if err := w.flush(); err != nil {
		return err
	}
	return writeFile(create, "repodata/repomd.xml", buf.Bytes())
}
