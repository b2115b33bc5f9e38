// Package repodata reads and writes yum repository metadata: repomd.xml,
// primary.xml and filelists.xml in, the same and other.xml out.
//
// What is read comes from strangers: the XML parser is a strict subset of XML
// (no document type, no entity beyond the five predefined ones), every token,
// count and decompressed size is bounded, and nothing read here ever becomes
// the name of a local file but through FileName.
//
// The XML scanner is written by hand and stays so: encoding/xml bounds neither a
// token nor a document, lets document types in, and needs five times as long for
// its tokens alone as this package for all of a primary.xml. Its tests read every
// document with both. Decompressors are libraries.
//
// Source of the formats: the relax-ng schemas of createrepo_c and the files it
// writes; they have no specification of their own.
package repodata

import (
	"encoding/hex"
	"fmt"
	"strings"

	"kubecrate/pkg/nevra"
)

// The types of Data that kubecrate reads and writes.
const (
	Primary   = "primary"
	Filelists = "filelists"
	Other     = "other"
	Modules   = "modules"
)

// Package is one <package> of primary.xml: what its RPM's header says and where
// the repository keeps the file. Read from primary.xml, Files holds only the
// few paths that file lists.
type Package struct {
	nevra.Metadata
	Location    string // href, relative to the repository's root; it may climb out of it
	Base        string // xml:base, a URL that replaces the repository's own; mostly empty
	Checksum    Checksum
	Size        int64 // bytes of the RPM file
	FileTime    int64 // seconds since the epoch, of the RPM file
	HeaderStart int64 // offset of the RPM's header in the file
	HeaderEnd   int64 // offset behind it

	// Unusable says why the package cannot be taken, nil where it can; any other
	// field may be missing then.
	Unusable error
}

// Checksum is a checksum as metadata writes it. Type is sha or sha1 (the same),
// sha224, sha256, sha384 or sha512; Value is lower-case hex.
type Checksum struct {
	Type, Value string
}

// Digest is "sha1:HEX", "sha256:HEX" and so on, "" for the zero Checksum.
func (c Checksum) Digest() string {
	switch c.Type {
	case "":
		return ""
	case "sha":
		return "sha1:" + c.Value
	}
	return c.Type + ":" + c.Value
}

// parseChecksum accepts the algorithms that still mean something. sha1 is among
// them because EL5-era repositories know no other; the RPM's signature is what
// is trusted in the end.
func parseChecksum(kind, value string) (Checksum, error) {
	size := 0
	switch kind {
	case "sha", "sha1":
		size = 40
	case "sha224":
		size = 56
	case "sha256":
		size = 64
	case "sha384":
		size = 96
	case "sha512":
		size = 128
	case "md5":
		return Checksum{}, fmt.Errorf("checksum type md5 is rejected as insecure")
	default:
		return Checksum{}, fmt.Errorf("unknown checksum type %q (want sha1, sha224, sha256, sha384 or sha512)", kind)
	}
	value = strings.ToLower(value)
	if _, err := hex.DecodeString(value); err != nil || len(value) != size {
		return Checksum{}, fmt.Errorf("checksum %q is not %d hex digits of %s", value, size, kind)
	}
	return Checksum{Type: kind, Value: value}, nil
}

// Repomd is repomd.xml: what else the repository holds.
type Repomd struct {
	Revision string
	Data     []Data
}

// Data is one file of a repository's metadata. Checksum and Size are of the
// file as it is stored, OpenChecksum and OpenSize of what it decompresses to;
// sizes are bytes, -1 where repomd.xml does not say. Old repositories give no
// sizes, and only primary, filelists and other have their checksums checked for
// form.
type Data struct {
	Type         string
	Location     string
	Base         string
	Checksum     Checksum
	OpenChecksum Checksum
	Size         int64
	OpenSize     int64
}

// Find returns the data of a type ("primary").
func (r *Repomd) Find(kind string) (Data, bool) {
	for _, d := range r.Data {
		if d.Type == kind {
			return d, true
		}
	}
	return Data{}, false
}

// FileName is n.FileName() where that is a plain file name on any file system:
// letters, digits and "._+-~^", no leading dot or dash, at most 255 bytes. Other
// names are errors, so that no metadata can name a path.
func FileName(n nevra.NEVRA) (string, error) {
	for _, part := range []struct{ what, text string }{
		{"name", n.Name}, {"version", n.Version}, {"release", n.Release}, {"architecture", n.Arch},
	} {
		if part.text == "" {
			return "", fmt.Errorf("the %s of package %q is empty", part.what, n)
		}
		if i := strings.IndexFunc(part.text, func(r rune) bool { return !fileRune(r) }); i >= 0 {
			return "", fmt.Errorf("the %s %q of package %q has an invalid character", part.what, part.text, n)
		}
	}
	name := n.FileName()
	if name[0] == '.' || name[0] == '-' || len(name) > 255 {
		return "", fmt.Errorf("%q is not a valid file name for a package", name)
	}
	return name, nil
}

func fileRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-~^", r)
}
