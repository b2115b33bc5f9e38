package repodata

import (
	"strings"
	"testing"

	"kubecrate/pkg/rpm"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, location, want string }{
		{"https://h/a/b", "Packages/x.rpm", "https://h/a/b/Packages/x.rpm"},
		{"https://h/a/b/", "Packages/x.rpm", "https://h/a/b/Packages/x.rpm"},
		{"https://h/yum/repos/k8s-el7", "../../pool/hash-x.rpm", "https://h/yum/pool/hash-x.rpm"},
		{"https://h/a", "../../../../x.rpm", "https://h/x.rpm"},
		{"https://h/a", "./x.rpm", "https://h/a/x.rpm"},
		{"https://h/a", "/other/x.rpm", "https://h/other/x.rpm"},
		{"http://h:80/a", "http://other/x.rpm", "http://other/x.rpm"},
		{"https://u:p@h/a", "x.rpm", "https://u:p@h/a/x.rpm"},
		{"https://h/a", "libstdc++-1~rc^2-3.rpm", "https://h/a/libstdc++-1~rc%5E2-3.rpm"},
		{"https://h/a", "x%2fy.rpm", "https://h/a/x%2fy.rpm"},
		{"https://h/a", "50%.rpm", "https://h/a/50%25.rpm"},
		{"https://h/a", "foo-1:2.rpm", "https://h/a/foo-1:2.rpm"},
		{"https://h/a", "1:2.rpm", "https://h/a/1:2.rpm"},
		{"https://h/a", "a b.rpm", "https://h/a/a%20b.rpm"},
		{"file:///srv/repo", "x.rpm", "file:///srv/repo/x.rpm"},
		{"/srv/repo", "../pool/x.rpm", "file:///srv/pool/x.rpm"},
		{"file:///srv/repo", "http://h/x.rpm", "http://h/x.rpm"},
	} {
		got, err := Resolve(test.base, test.location)
		if err != nil || got != test.want {
			t.Errorf("Resolve(%q, %q) = %q, %v, want %q", test.base, test.location, got, err, test.want)
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
	evr := rpm.EVR{Epoch: "1", Version: "1.0~rc1", Release: "1.el7^git"}
	for _, test := range []struct {
		nevra rpm.NEVRA
		want  string
	}{
		{rpm.NEVRA{Name: "libstdc++", EVR: evr, Arch: "x86_64"}, "libstdc++-1.0~rc1-1.el7^git.x86_64.rpm"},
		{rpm.NEVRA{Name: "../x", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: `..\x`, EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: ".x", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "-x", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "x", EVR: rpm.EVR{Version: "1/2", Release: "1"}, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "x", EVR: rpm.EVR{Version: "1", Release: "/../../etc/passwd"}, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "x", EVR: rpm.EVR{Version: "1", Release: ""}, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "x", EVR: evr, Arch: "no arch"}, ""},
		{rpm.NEVRA{Name: "x\x00", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "ż", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: "x:y", EVR: evr, Arch: "noarch"}, ""},
		{rpm.NEVRA{Name: strings.Repeat("x", 250), EVR: evr, Arch: "noarch"}, ""},
	} {
		got, err := FileName(test.nevra)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("FileName(%+v) = %q, %v, want %q", test.nevra, got, err, test.want)
		}
	}
}
