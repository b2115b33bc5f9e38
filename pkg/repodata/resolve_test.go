package repodata

import (
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

// TestResolve: the first URL is the one that dnf 4.14 was seen to ask for.
func TestResolve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, location, want string }{
		{"https://h/a/b", "Packages/x.rpm", "https://h/a/b/Packages/x.rpm"},
		{"https://h/a/b/", "Packages/x.rpm", "https://h/a/b/Packages/x.rpm"},
		{"https://h/yum/repos/k8s-el7", "../../pool/hash-x.rpm", "https://h/yum/pool/hash-x.rpm"},
		{"https://h/a", "../../../../x.rpm", "https://h/x.rpm"},
		{"https://h/a", "./x.rpm", "https://h/a/x.rpm"},
		{"https://h/a", "b//x.rpm", "https://h/a/b//x.rpm"},
		{"https://h/a", "b+c/../x+.rpm", "https://h/a/x%2b.rpm"},
		{"https://h/a", "/other/x.rpm", "https://h/a/other/x.rpm https://h/other/x.rpm"},
		{"https://h/a", "//other/x.rpm", "https://h/a/other/x.rpm"},
		{"http://h:80/a", "http://other/x.rpm", "http://other/x.rpm"},
		{"http://h:80/a", "http://other/x+y%2bz.rpm?a=b+c#d", "http://other/x+y%2bz.rpm?a=b+c"},
		{"https://u:p@h/a", "x.rpm", "https://u:p@h/a/x.rpm"},
		{"https://h/a", "libstdc++-1~rc^2-3.rpm", "https://h/a/libstdc%2b%2b-1~rc%5e2-3.rpm"},
		{"https://h/a", "x%2fy.rpm", "https://h/a/x%252fy.rpm https://h/a/x%2fy.rpm"},
		{"https://h/a", "x%2by.rpm", "https://h/a/x%252by.rpm https://h/a/x%2by.rpm"},
		{"https://h/a", "x%20+y.rpm", "https://h/a/x%2520%2by.rpm https://h/a/x%20+y.rpm"},
		{"https://h/a", "50%.rpm", "https://h/a/50%25.rpm"},
		{"https://h/a", "foo-1:2.rpm", "https://h/a/foo-1%3a2.rpm"},
		{"https://h/a", "1:2.rpm", "https://h/a/1%3a2.rpm"},
		{"https://h/a", "a b.rpm", "https://h/a/a%20b.rpm"},
		{"https://h/a", "a#b.rpm", "https://h/a/a%23b.rpm https://h/a/a"},
		{"https://h/a", "a.rpm?b=c", "https://h/a/a.rpm%3fb%3dc https://h/a/a.rpm?b=c"},
		{"https://h/a", "a&b;c=d,e@f.rpm", "https://h/a/a%26b%3bc%3dd%2ce%40f.rpm"},
		{"https://h/a", "a[1]{2}.rpm", "https://h/a/a%5b1%5d%7b2%7d.rpm"},
		{"https://h/a", `a\b.rpm`, "https://h/a/a%5cb.rpm"},
		{"https://h/a", "é.rpm", "https://h/a/%c3%a9.rpm"},
		{"https://h/a+b", "c+.rpm", "https://h/a+b/c%2b.rpm"},
		{"https://h/a%2bb/", "c+.rpm", "https://h/a%2bb/c%2b.rpm"},
		{"https://h/a%23b", "c+.rpm", "https://h/a%23b/c%2b.rpm"},
		{"https://h/a?sig=b+c%2f", "c+.rpm", "https://h/a/c%2b.rpm?sig=b+c%2f"},
		{"file:///srv/repo", "x.rpm", "file:///srv/repo/x.rpm"},
		{"/srv/repo", "../pool/x.rpm", "file:///srv/pool/x.rpm"},
		{"file:///srv/repo", "http://h/x.rpm", "http://h/x.rpm"},
	} {
		got, err := Resolve(test.base, test.location)
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("Resolve(%q, %q) = %q, %v, want %q", test.base, test.location, got, err, test.want)
		}
	}
}

// TestResolveMetadata: of metadata files dnf asks for the very text.
func TestResolveMetadata(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, location, want string }{
		{"https://h/a", "repodata/x.xml.gz", "https://h/a/repodata/x.xml.gz"},
		{"https://h/a", "repodata/x+y.xml.gz", "https://h/a/repodata/x+y.xml.gz"},
		{"https://h/a", "repodata/x%2by.xml.gz", "https://h/a/repodata/x%2by.xml.gz https://h/a/repodata/x%252by.xml.gz"},
		{"https://h/a?t=1", "repodata/x.xml.gz", "https://h/a/repodata/x.xml.gz?t=1"},
		{"https://h/a", "/repodata/x.xml.gz", "https://h/a/repodata/x.xml.gz https://h/repodata/x.xml.gz"},
		{"https://h/a", "repodata/x#y.xml.gz", "https://h/a/repodata/x https://h/a/repodata/x%23y.xml.gz"},
	} {
		got, err := ResolveMetadata(test.base, test.location)
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("ResolveMetadata(%q, %q) = %q, %v, want %q", test.base, test.location, got, err, test.want)
		}
	}
}

func TestResolveBase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ mirror, base, want string }{
		{"https://h/a", "", "https://h/a"},
		{"https://h/a", "http://o/b+c?d=e", "http://o/b+c?d=e"},
		{"https://h/a", "sub", "https://h/a/sub"},
		{"https://h/a", "ftp://o/b", ""},
		{"https://h/a", "http://o/b#c", ""},
	} {
		got, err := ResolveBase(test.mirror, test.base)
		if got != test.want && err == nil || (err == nil) != (test.want != "") {
			t.Errorf("ResolveBase(%q, %q) = %q, %v, want %q", test.mirror, test.base, got, err, test.want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, location, want string }{
		{"https://h/a", "", "empty location"},
		{"https://h/a", "file:///etc/passwd", "a file of this machine"},
		{"https://h/a", "ftp://h/x.rpm", "only http, https and file"},
		{"ftp://h/a", "x.rpm", "cannot read the base URL"},
		{"relative/path", "x.rpm", "cannot read the base URL"},
		{"https:///a", "x.rpm", "cannot read the base URL"},
		{"http:opaque", "x.rpm", "cannot read the base URL"},
		{"file:///srv", "file://otherhost/x.rpm", "a file of this machine"},
		{"https://user:secret@h/a", "gopher://h/x", "https://user:xxxxx@h/a"},
		{"://", "x.rpm", "cannot read the base URL"},
		{"https://h/a#b", "x.rpm", "a fragment is never sent"},
	} {
		got, err := Resolve(test.base, test.location)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Resolve(%q, %q) = %q, %v, want an error with %q", test.base, test.location, got, err, test.want)
		}
	}
}

// TestFileName: whatever the metadata says, the name of the file that ends up
// in an archive is one component.
func TestFileName(t *testing.T) {
	t.Parallel()
	evr := nevra.EVR{Epoch: "1", Version: "1.0~rc1", Release: "1.el7^git"}
	for _, test := range []struct {
		nevra nevra.NEVRA
		want  string
	}{
		{nevra.NEVRA{Name: "libstdc++", EVR: evr, Arch: "x86_64"}, "libstdc++-1.0~rc1-1.el7^git.x86_64.rpm"},
		{nevra.NEVRA{Name: "../x", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: `..\x`, EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: ".x", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "-x", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "x", EVR: nevra.EVR{Version: "1/2", Release: "1"}, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "x", EVR: nevra.EVR{Version: "1", Release: "/../../etc/passwd"}, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "x", EVR: nevra.EVR{Version: "1", Release: ""}, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "x", EVR: evr, Arch: "no arch"}, ""},
		{nevra.NEVRA{Name: "x\x00", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "ż", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: "x:y", EVR: evr, Arch: "noarch"}, ""},
		{nevra.NEVRA{Name: strings.Repeat("x", 250), EVR: evr, Arch: "noarch"}, ""},
	} {
		got, err := FileName(test.nevra)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("FileName(%+v) = %q, %v, want %q", test.nevra, got, err, test.want)
		}
	}
}
