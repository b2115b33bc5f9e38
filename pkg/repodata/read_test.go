package repodata

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

// TestRealRepositories reads every primary and filelists of the real metadata
// through its repomd.xml and checks sizes, checksums and counts.
func TestRealRepositories(t *testing.T) {
	data := sharedData(t)
	for _, test := range []struct {
		dir              string
		primary, filesOf int
	}{
		{"repodata/kubernetes-el7-x86_64@1.17.2-20200121", 460, 460},
		{"repodata/kubernetes-el7-x86_64@40ce558", 205, 0},
		{"repodata/kubernetes-el7-x86_64@5ce553f", 142, 0},
		{"repodata/libzypp-bug206927", 1643, 0},
		{"repodata/yum.dockerproject.org-main-centos-7", 110, 110},
		{"rpms/el7-docker-closure", 140, 140},
		{"rpms/el8-weka/docker-ce", 7, 7},
	} {
		dir := filepath.Join(data, test.dir)
		f, err := os.Open(filepath.Join(dir, "repodata", "repomd.xml"))
		if err != nil {
			t.Fatal(err)
		}
		md, err := ReadRepomd(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		byID := make(map[string]*Package)
		for _, p := range readAll(t, bytes.NewReader(realDocument(t, dir, md, Primary))) {
			if p.Size == 0 || p.Summary == "" || p.License == "" || p.HeaderEnd <= p.HeaderStart || len(p.Provides) == 0 && p.Arch != "src" {
				t.Errorf("%s: %s was read without something: %+v", test.dir, p.NEVRA, p)
			}
			byID[p.Checksum.Value] = p
		}
		if len(byID) != test.primary {
			t.Errorf("%s: %d packages, want %d", test.dir, len(byID), test.primary)
		}
		if test.filesOf == 0 {
			continue
		}
		lists := 0
		err = ReadFilelists(context.Background(), bytes.NewReader(realDocument(t, dir, md, Filelists)), nil,
			func(id string, n nevra.NEVRA, files []nevra.File) error {
				lists++
				p := byID[id]
				if p == nil || p.NEVRA != n {
					return fmt.Errorf("package %s %s is not in primary.xml", n, id)
				}
				return containsPrimary(p, files)
			})
		if err != nil || lists != test.filesOf {
			t.Errorf("%s: %d file lists, want %d, error %v", test.dir, lists, test.filesOf, err)
		}
	}
}

// containsPrimary checks that the files primary.xml lists are those of the full
// list that belong there.
func containsPrimary(p *Package, files []nevra.File) error {
	want := make(map[nevra.File]bool)
	for _, f := range files {
		if IsPrimary(f.Path) {
			want[f] = true
		}
	}
	got := make(map[nevra.File]bool)
	for _, f := range p.Files {
		got[f] = true
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("package %s has the primary files %v, want %v", p.NEVRA, got, want)
	}
	return nil
}

// realDocument reads a file of a repository and checks it against repomd.xml.
func realDocument(t *testing.T, dir string, md *Repomd, kind string) []byte {
	t.Helper()
	d, ok := md.Find(kind)
	if !ok {
		t.Fatalf("%s: no %s", dir, kind)
	}
	packed, err := os.ReadFile(filepath.Join(dir, d.Location))
	if err != nil {
		t.Fatal(err)
	}
	limit := d.OpenSize
	if limit < 0 {
		limit = 100 << 20
	}
	r, err := DecompressLimit(d.Location, bytes.NewReader(packed), limit)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		content []byte
		size    int64
		sum     Checksum
	}{{packed, d.Size, d.Checksum}, {plain, d.OpenSize, d.OpenChecksum}} {
		if c.size >= 0 && int64(len(c.content)) != c.size {
			t.Errorf("%s: %s has %d bytes, repomd.xml says %d", dir, d.Location, len(c.content), c.size)
		}
		if got := digestOf(c.sum.Type, c.content); got != c.sum.Digest() {
			t.Errorf("%s: %s is %s, repomd.xml says %s", dir, d.Location, got, c.sum.Digest())
		}
	}
	return plain
}

func digestOf(kind string, b []byte) string {
	if kind == "sha" || kind == "sha1" {
		sum := sha1.Sum(b)
		return "sha1:" + hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

const onePackage = `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm">
  <name>foo</name>
  <arch>x86_64</arch>
  <version epoch="2" ver="1.0" rel="3.el7"/>
  <checksum type="sha256" pkgid="YES">` + hash64 + `</checksum>
  <summary>a &amp; b</summary>
  <description>first
second</description>
  <packager/>
  <url>http://example.org</url>
  <time file="10" build="9"/>
  <size package="100" installed="200" archive="300"/>
  <location xml:base="http://example.org/repo" href="Packages/foo.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:header-range start="20" end="40"/>
    <rpm:provides>
      <rpm:entry name="foo" flags="EQ" epoch="2" ver="1.0" rel="3.el7"/>
      <rpm:entry name="virtual"/>
    </rpm:provides>
    <rpm:requires>
      <rpm:entry name="/bin/sh" pre="1"/>
      <rpm:entry name="bar" flags="GE" epoch="0" ver="1"/>
      <rpm:entry name="baz" flags="LT"/>
      <rpm:entry name="qux" ver="3"/>
      <rpm:entry name="(a or b)"/>
    </rpm:requires>
    <rpm:conflicts><rpm:entry name="c" flags="LT" ver="2" rel="1"/></rpm:conflicts>
    <rpm:obsoletes><rpm:entry name="o" flags="LE" ver="2"/></rpm:obsoletes>
    <rpm:recommends><rpm:entry name="r" flags="GT" ver="2"/></rpm:recommends>
    <file>/etc/foo.conf</file>
    <file type="dir">/etc/foo.d</file>
    <file type="ghost">/etc/foo.d/x</file>
  </format>
  <other:stuff xmlns:other="http://example.org/other"><name>no</name></other:stuff>
</package>
</metadata>
`

const hash64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestReadPrimary(t *testing.T) {
	t.Parallel()
	want := &Package{
		Metadata: nevra.Metadata{
			NEVRA:   nevra.NEVRA{Name: "foo", EVR: nevra.EVR{Epoch: "2", Version: "1.0", Release: "3.el7"}, Arch: "x86_64"},
			Summary: "a & b", Description: "first\nsecond", License: "MIT", URL: "http://example.org",
			BuildTime: 9, InstalledSize: 200, ArchiveSize: 300,
			Provides: []nevra.Relation{
				{Name: "foo", Op: nevra.EQ, EVR: nevra.EVR{Epoch: "2", Version: "1.0", Release: "3.el7"}}, {Name: "virtual"},
			},
			Requires: []nevra.Relation{
				{Name: "/bin/sh", Pre: true},
				{Name: "bar", Op: nevra.GE, EVR: nevra.EVR{Version: "1"}},
				{Name: "baz"}, {Name: "qux"}, {Name: "(a or b)"},
			},
			Conflicts:  []nevra.Relation{{Name: "c", Op: nevra.LT, EVR: nevra.EVR{Version: "2", Release: "1"}}},
			Obsoletes:  []nevra.Relation{{Name: "o", Op: nevra.LE, EVR: nevra.EVR{Version: "2"}}},
			Recommends: []nevra.Relation{{Name: "r", Op: nevra.GT, EVR: nevra.EVR{Version: "2"}}},
			Files:      []nevra.File{{Path: "/etc/foo.conf"}, {Path: "/etc/foo.d", Type: nevra.Dir}, {Path: "/etc/foo.d/x", Type: nevra.Ghost}},
		},
		Location: "Packages/foo.rpm", Base: "http://example.org/repo", Checksum: Checksum{"sha256", hash64},
		Size: 100, FileTime: 10, HeaderStart: 20, HeaderEnd: 40,
	}
	got := readAll(t, strings.NewReader(onePackage))
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %+v\nwant %+v", got[0], want)
	}
}

// TestReadPrimaryOdd: a package that cannot be taken says why, and those beside
// it are as they are.
func TestReadPrimaryOdd(t *testing.T) {
	t.Parallel()
	odd := onePackage[strings.Index(onePackage, "<package type"):strings.Index(onePackage, "</metadata>")]
	for _, test := range []struct{ old, new, want string }{
		{"<name>foo</name>", "", "the name of package"},
		{"<name>foo</name>", "<name>../foo</name>", "has an invalid character"},
		{"<name>foo</name>", "<name>-foo</name>", "not a valid file name"},
		{"<arch>x86_64</arch>", "<arch></arch>", "the architecture of package"},
		{`ver="1.0" rel="3.el7"/>`, `rel="3.el7"/>`, "the version of package"},
		{`epoch="2" ver="1.0" rel="3.el7"/>`, `epoch="x" ver="1.0" rel="3.el7"/>`, `epoch "x" is not a number`},
		{`type="sha256"`, `type="md5"`, "checksum type md5 is rejected"},
		{`type="sha256"`, `type="sha1"`, "is not 40 hex digits"},
		{`type="sha256"`, `type="crc"`, `unknown checksum type "crc"`},
		{`package="100"`, `package="-1"`, `size package "-1" is not a number`},
		{`package="100"`, ``, "it has no size"},
		{`href="Packages/foo.rpm"`, ``, "it has no location"},
		{`flags="GE"`, `flags="GEQ"`, `requires: bar: unknown flags "GEQ"`},
		{`name="bar"`, ``, "requires: entry without a name"},
		{`<package type="rpm">`, `<package type="deb">`, `type "deb" is not rpm`},
		{`type="ghost"`, `type="pipe"`, ""},
		{`<rpm:header-range start="20"`, `<rpm:header-range start="x"`, ""},
		{`<time file="10"`, `<time file="never"`, ""},
	} {
		changed := strings.Replace(odd, test.old, test.new, 1)
		if changed == odd {
			t.Fatalf("%q is not in the document", test.old)
		}
		got := readAll(t, strings.NewReader(strings.Replace(onePackage, odd, odd+changed+odd, 1)))
		if len(got) != 3 || got[0].Unusable != nil || got[2].Unusable != nil || !reflect.DeepEqual(got[0], got[2]) {
			t.Fatalf("%s -> %s: %d packages: %+v", test.old, test.new, len(got), got)
		}
		switch why := got[1].Unusable; {
		case test.want == "" && why != nil:
			t.Errorf("%s -> %s: %v", test.old, test.new, why)
		case test.want != "" && (why == nil || !strings.Contains(why.Error(), test.want)):
			t.Errorf("%s -> %s: %v, want %q", test.old, test.new, why, test.want)
		}
	}
}

// TestReadPrimaryDamaged: damage of the document is an error.
func TestReadPrimaryDamaged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, want string }{
		{"</package>", "", "is closed by"},
		{"</metadata>", "", "unexpected EOF"},
		{"a &amp; b", "a &nbsp; b", "package foo-2:1.0-3.el7.x86_64: "},
		{`xmlns="http://linux.duke.edu/metadata/common"`, `xmlns="http://linux.duke.edu/metadata/repo"`, "want <metadata>"},
	} {
		doc := strings.Replace(onePackage, test.old, test.new, 1)
		if doc == onePackage {
			t.Fatalf("%q is not in the document", test.old)
		}
		err := ReadPrimary(context.Background(), strings.NewReader(doc), func(*Package) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cannot read primary.xml: ") {
			t.Errorf("%s -> %s: error %v, want one with %q", test.old, test.new, err, test.want)
		}
	}
}

func TestReadPrimaryStops(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	err := ReadPrimary(context.Background(), strings.NewReader(onePackage), func(*Package) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("error %v of the callback was lost", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = ReadPrimary(ctx, strings.NewReader(onePackage), func(*Package) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

func TestReadRepomd(t *testing.T) {
	t.Parallel()
	doc := `<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>7</revision>
<data type="primary"><location href="repodata/p.xml.gz" xml:base="http://example.org/"/><checksum type="sha256">` + strings.ToUpper(hash64) + `</checksum>
<timestamp>1</timestamp><size>10</size><open-size>20</open-size><open-checksum type="sha256">` + hash64 + `</open-checksum></data>
<data type="group"><checksum type="md5">x</checksum><location href="comps.xml"/></data>
<tags><content>x</content></tags></repomd>`
	want := &Repomd{Revision: "7", Data: []Data{
		{
			Type: Primary, Location: "repodata/p.xml.gz", Base: "http://example.org/", Checksum: Checksum{"sha256", hash64},
			OpenChecksum: Checksum{"sha256", hash64}, Size: 10, OpenSize: 20,
		},
		{Type: "group", Location: "comps.xml", Checksum: Checksum{"md5", "x"}, Size: -1, OpenSize: -1},
	}}
	got, err := ReadRepomd(strings.NewReader(doc))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v\nwant %+v", got, err, want)
	}
	for _, test := range []struct{ old, new, want string }{
		{"</repomd>", "", "unexpected EOF"},
		{`<location href="repodata/p.xml.gz"`, `<location`, `data "primary": it has no location`},
		{`<checksum type="sha256">`, `<checksum type="md5">`, `data "primary": checksum type md5 is rejected`},
		{"<size>10</size>", "<size>ten</size>", `data "primary": size "ten" is not a number`},
		{"<repomd ", "<html><repomd ", "the document is <html>"},
	} {
		_, err := ReadRepomd(strings.NewReader(strings.Replace(doc, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s -> %s: error %v, want one with %q", test.old, test.new, err, test.want)
		}
	}
}

func TestReadFilelists(t *testing.T) {
	t.Parallel()
	doc := `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="2">
<package pkgid="` + hash64 + `" name="foo" arch="noarch"><version epoch="0" ver="1" rel="2"/><file>/a</file><file type="dir">/b</file></package>
<package pkgid="11" name="bar" arch="noarch"><version epoch="3" ver="1" rel="2"/></package></filelists>`
	var got []string
	err := ReadFilelists(context.Background(), strings.NewReader(doc), nil, func(id string, n nevra.NEVRA, files []nevra.File) error {
		got = append(got, fmt.Sprintf("%.2s %s %v", id, n, files))
		return nil
	})
	want := []string{"01 foo-1-2.noarch [{/a 0} {/b 1}]", "11 bar-3:1-2.noarch []"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, error %v", got, err)
	}
	for _, test := range []struct{ old, new, want string }{
		{"</filelists>", "", "unexpected EOF"},
	} {
		err := ReadFilelists(context.Background(), strings.NewReader(strings.Replace(doc, test.old, test.new, 1)), nil,
			func(string, nevra.NEVRA, []nevra.File) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s -> %s: error %v, want one with %q", test.old, test.new, err, test.want)
		}
	}
}

// TestReadFilelistsOdd: an entry that belongs to no package is passed over.
func TestReadFilelistsOdd(t *testing.T) {
	t.Parallel()
	doc := `<filelists xmlns="http://linux.duke.edu/metadata/filelists"><package name="a" arch="noarch"><version ver="1" rel="2"/></package>
<package pkgid="1" name="b" arch="noarch"><version epoch="-3" ver="1" rel="2"/></package>
<package pkgid="2" name="c" arch="noarch"><version ver="1" rel="2"/><file type="pipe">/c</file></package></filelists>`
	var got []string
	err := ReadFilelists(context.Background(), strings.NewReader(doc), nil, func(id string, n nevra.NEVRA, files []nevra.File) error {
		got = append(got, fmt.Sprintf("%s %s %v", id, n, files))
		return nil
	})
	if want := []string{"2 c-1-2.noarch [{/c 0}]"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestRepomdOdd: what is not needed may be as it likes, until it is asked for.
func TestRepomdOdd(t *testing.T) {
	t.Parallel()
	primary := `<data type="primary"><location href="p"/><checksum type="sha256">` + hash64 + `</checksum></data>`
	for _, test := range []struct{ odd, want string }{
		{`<data type="filelists"><location href="f"/><checksum type="blake3">x</checksum></data>`, `unknown checksum type "blake3"`},
		{`<data type="filelists"><checksum type="sha256">` + hash64 + `</checksum></data>`, "no location"},
		{`<data type="filelists"><location href="f"/></data>`, "no checksum"},
		{`<data type="filelists"><location href="f"/><checksum type="sha256">` + strings.ToUpper(hash64) + `</checksum><size>many</size></data>`, ""},
		{`<data type="filelists"><location href="f"/><checksum type="sha384">` + hash64 + hash64[:32] + `</checksum></data>`, ""},
	} {
		md, err := ReadRepomd(strings.NewReader(`<repomd xmlns="http://linux.duke.edu/metadata/repo"><data><location href="x"/></data>` + test.odd + primary + `</repomd>`))
		if err != nil || len(md.Data) != 2 {
			t.Fatalf("%s: %+v, %v", test.odd, md, err)
		}
		d, _ := md.Find(Filelists)
		if err := d.Check(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.odd, err, test.want)
		}
	}
}

func FuzzReadRepomd(f *testing.F) {
	f.Add([]byte(`<repomd xmlns="http://linux.duke.edu/metadata/repo"><data type="primary"><location href="p"/><checksum type="sha256">` + hash64 + `</checksum></data></repomd>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var md *Repomd
		var err error
		bounded(t, doc, func() { md, err = ReadRepomd(bytes.NewReader(doc)) })
		if (md == nil) != (err != nil) {
			t.Fatalf("%v and error %v", md, err)
		}
	})
}

func FuzzReadPrimary(f *testing.F) {
	f.Add([]byte(`<metadata xmlns:rpm="r"><package><name>a</name><arch>b</arch><version ver="1" rel="2"/><checksum type="sha1">` + hash64[:40] +
		`</checksum><size package="1"/><location href="l"/></package></metadata>`))
	f.Add([]byte(`<metadata xmlns:rpm="http://linux.duke.edu/metadata/rpm"><package><format><rpm:provides><rpm:entry name="n" flags="EQ" epoch="0" ver="1" rel="2"/></rpm:provides><file>/a</file></format></package></metadata>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		bounded(t, doc, func() {
			_ = ReadPrimary(context.Background(), bytes.NewReader(doc), func(p *Package) error {
				if p.Unusable != nil {
					return nil
				}
				if _, err := FileName(p.NEVRA); err != nil || p.Location == "" || p.Checksum.Digest() == "" {
					t.Fatalf("accepted %+v", p)
				}
				return nil
			})
		})
	})
}

func FuzzReadFilelists(f *testing.F) {
	f.Add([]byte(`<filelists><package pkgid="1" name="a" arch="b"><version ver="1" rel="2"/><file>/a</file></package></filelists>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		bounded(t, doc, func() {
			_ = ReadFilelists(context.Background(), bytes.NewReader(doc), nil, func(id string, _ nevra.NEVRA, _ []nevra.File) error {
				if id == "" {
					t.Fatal("a package without id")
				}
				return nil
			})
		})
	})
}

// bounded calls f and fails the test if it takes more memory than a small
// input is worth.
func bounded(t *testing.T, input []byte, f func()) {
	t.Helper()
	const most, small = 64 << 20, 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; len(input) < small && used > most {
		t.Fatalf("%d bytes allocated for %d bytes of input", used, len(input))
	}
}
