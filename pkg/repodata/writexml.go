package repodata

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"kubecrate/pkg/nevra"
)

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// xmlWriter writes elements in the layout createrepo_c gives them. The first
// error sticks and comes out of flush.
type xmlWriter struct {
	w *bufio.Writer
	n int64 // bytes written
}

func newXMLWriter(w io.Writer) *xmlWriter { return &xmlWriter{w: bufio.NewWriterSize(w, 64<<10)} }

func (w *xmlWriter) flush() error { return w.w.Flush() }

func (w *xmlWriter) raw(s string) {
	n, _ := w.w.WriteString(s) // the error sticks in w.w
	w.n += int64(n)
}

func (w *xmlWriter) open(indent int, name string) {
	w.raw("        "[:indent])
	w.raw("<" + name)
}

func (w *xmlWriter) attr(name, value string) {
	w.raw(" " + name + `="`)
	w.escape(value, true)
	w.raw(`"`)
}

// text writes <name>value</name>, or <name/> where value is empty.
func (w *xmlWriter) text(indent int, name, value string) {
	w.open(indent, name)
	w.body(name, value)
}

func (w *xmlWriter) body(name, value string) {
	if value == "" {
		w.raw("/>\n")
		return
	}
	w.raw(">")
	w.escape(value, false)
	w.raw("</" + name + ">\n")
}

func (w *xmlWriter) sum(indent int, name string, c Checksum) {
	w.open(indent, name)
	w.attr("type", c.Type)
	w.body(name, c.Value)
}

// escape writes s as XML. Headers of old packages hold Latin-1 and control
// characters: bytes that are not UTF-8 are taken for Latin-1, characters that
// XML cannot hold are left out, as createrepo_c does.
func (w *xmlWriter) escape(s string, inAttr bool) {
	from := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			if r, size = utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && size == 1 {
				r = rune(s[i])
			}
		}
		repl, ok := replacement(r, size, inAttr)
		if ok {
			w.raw(s[from:i])
			w.raw(repl)
			from = i + size
		}
		i += size
	}
	w.raw(s[from:])
}

// xmlText is what a reader gets of s once it was written as XML.
func xmlText(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || !isChar(r) }) < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			r = rune(s[i])
		}
		if isChar(r) {
			out.WriteRune(r)
		}
		i += size
	}
	return out.String()
}

// replacement is what stands for r, which took size bytes; ok is false where
// it stands for itself.
func replacement(r rune, size int, inAttr bool) (repl string, ok bool) {
	switch {
	case r == '&':
		return "&amp;", true
	case r == '<':
		return "&lt;", true
	case r == '>':
		return "&gt;", true
	case r == '"' && inAttr:
		return "&quot;", true
	case r == '\r':
		return "&#13;", true
	case (r == '\n' || r == '\t') && inAttr:
		return "&#" + strconv.Itoa(int(r)) + ";", true
	case !isChar(r):
		return "", true
	case r >= utf8.RuneSelf && size == 1:
		return string(r), true
	}
	return "", false
}

func epochOf(e nevra.EVR) string {
	if e.Epoch == "" {
		return "0"
	}
	return e.Epoch
}

func (w *xmlWriter) version(e nevra.EVR) {
	w.open(2, "version")
	w.attr("epoch", epochOf(e))
	w.attr("ver", e.Version)
	w.attr("rel", e.Release)
	w.raw("/>\n")
}

func (w *xmlWriter) number(name string, v int64) { w.attr(name, strconv.FormatInt(v, 10)) }

func writePrimary(w *xmlWriter, p *Package) {
	w.raw("<package type=\"rpm\">\n")
	w.text(2, "name", p.Name)
	w.text(2, "arch", p.Arch)
	w.version(p.EVR)
	w.open(2, "checksum")
	w.attr("type", p.Checksum.Type)
	w.attr("pkgid", "YES")
	w.body("checksum", p.Checksum.Value)
	w.text(2, "summary", p.Summary)
	w.text(2, "description", p.Description)
	w.text(2, "packager", p.Packager)
	w.text(2, "url", p.URL)
	w.open(2, "time")
	w.number("file", p.FileTime)
	w.number("build", p.BuildTime)
	w.raw("/>\n")
	w.open(2, "size")
	w.number("package", p.Size)
	w.number("installed", p.InstalledSize)
	w.number("archive", p.ArchiveSize)
	w.raw("/>\n")
	w.open(2, "location")
	if p.Base != "" {
		w.attr("xml:base", p.Base)
	}
	w.attr("href", p.Location)
	w.raw("/>\n  <format>\n")
	writeFormat(w, p)
	w.raw("  </format>\n</package>\n")
}

func writeFormat(w *xmlWriter, p *Package) {
	w.text(4, "rpm:license", p.License)
	w.text(4, "rpm:vendor", p.Vendor)
	w.text(4, "rpm:group", p.Group)
	w.text(4, "rpm:buildhost", p.BuildHost)
	w.text(4, "rpm:sourcerpm", p.SourceRPM)
	w.open(4, "rpm:header-range")
	w.number("start", p.HeaderStart)
	w.number("end", p.HeaderEnd)
	w.raw("/>\n")
	writeRelations(w, "rpm:provides", p.Provides)
	writeRelations(w, "rpm:requires", requires(&p.Metadata))
	writeRelations(w, "rpm:conflicts", p.Conflicts)
	writeRelations(w, "rpm:obsoletes", p.Obsoletes)
	writeRelations(w, "rpm:suggests", p.Suggests)
	writeRelations(w, "rpm:enhances", p.Enhances)
	writeRelations(w, "rpm:recommends", p.Recommends)
	writeRelations(w, "rpm:supplements", p.Supplements)
	for _, f := range p.Files {
		if IsPrimary(f.Path) {
			writePath(w, 4, f)
		}
	}
}

func writeRelations(w *xmlWriter, element string, rs []nevra.Relation) {
	if len(rs) == 0 {
		return
	}
	w.open(4, element)
	w.raw(">\n")
	for _, r := range rs {
		w.open(6, "rpm:entry")
		w.attr("name", r.Name)
		if flags := flagsOf(r.Op); flags != "" && r.EVR.Version != "" {
			w.attr("flags", flags)
			w.attr("epoch", epochOf(r.EVR))
			w.attr("ver", r.EVR.Version)
			if r.EVR.Release != "" {
				w.attr("rel", r.EVR.Release)
			}
		}
		if r.Pre && element == "rpm:requires" {
			w.attr("pre", "1")
		}
		w.raw("/>\n")
	}
	w.raw("    </" + element + ">\n")
}

func flagsOf(o nevra.Op) string {
	switch o {
	case nevra.LT:
		return "LT"
	case nevra.GT:
		return "GT"
	case nevra.EQ:
		return "EQ"
	case nevra.LE:
		return "LE"
	case nevra.GE:
		return "GE"
	}
	return ""
}

// IsPrimary says whether createrepo_c lists path in primary.xml: everything in
// /etc, everything below a folder whose name ends in "bin", and the path that
// mail servers own. A path outside is found in filelists.xml only.
//
// Source: createrepo_c, cr_is_primary.
func IsPrimary(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}

func writePath(w *xmlWriter, indent int, f nevra.File) {
	w.open(indent, "file")
	switch f.Type {
	case nevra.Dir:
		w.attr("type", "dir")
	case nevra.Ghost:
		w.attr("type", "ghost")
	}
	w.body("file", f.Path)
}

func writeIdentity(w *xmlWriter, p *Package) {
	w.open(0, "package")
	w.attr("pkgid", p.Checksum.Value)
	w.attr("name", p.Name)
	w.attr("arch", p.Arch)
	w.raw(">\n")
	w.version(p.EVR)
}

func writeFilelist(w *xmlWriter, p *Package) {
	writeIdentity(w, p)
	for _, f := range p.Files {
		writePath(w, 2, f)
	}
	w.raw("</package>\n")
}

func writeOther(w *xmlWriter, p *Package) {
	writeIdentity(w, p)
	w.raw("</package>\n")
}
