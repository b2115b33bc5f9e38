package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// yumRepo serves a repository of the packages that specs describe; lie may alter
// what its metadata says of them.
func yumRepo(t *testing.T, lie func(*repodata.Package), specs ...rpmtest.Spec) string {
	t.Helper()
	dir := t.TempDir()
	writeRepo(t, dir, lie, specs...)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL
}

// writeRepo writes the repository that yumRepo serves.
func writeRepo(t *testing.T, dir string, lie func(*repodata.Package), specs ...rpmtest.Spec) {
	t.Helper()
	create := func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return os.Create(path)
	}
	var pkgs []repodata.Package
	for _, spec := range specs {
		b, err := rpmtest.Build(spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := rpm.Check(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		p := repodata.Package{
			Metadata: *v.Metadata, Location: v.Metadata.FileName(), Size: int64(len(b)),
			Checksum: repodata.Checksum{Type: "sha256", Value: hex.EncodeToString(sum[:])},
		}
		if err := os.WriteFile(filepath.Join(dir, p.Location), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if lie != nil {
			lie(&p)
		}
		pkgs = append(pkgs, p)
	}
	if err := repodata.Write(create, pkgs, repodata.WriteOptions{Revision: "1"}); err != nil {
		t.Fatal(err)
	}
}

// rpmSources is a manifest of one repository, and the sources to lock it.
func rpmSources(t *testing.T, url string, roots ...string) (*manifest.Manifest, *Sources, *[]string) {
	t.Helper()
	unchecked := false
	m := &manifest.Manifest{
		Name: "test", Platform: manifest.Platform{Family: "el8", Arch: "amd64"},
		Packages: manifest.Packages{
			Baseline: manifest.NoBaseline, Roots: roots,
			Repos: []manifest.Repo{{ID: "r", BaseURL: []string{url}, GPGCheck: &unchecked}},
		},
	}
	warnings := &[]string{}
	s, err := OpenSources(m, SourceOptions{Cache: t.TempDir(), Report: func(e progress.Event) {
		if e.Kind == progress.Warn {
			*warnings = append(*warnings, e.Text)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m, s, warnings
}

// TestHeaderIsWhatWasSolved: a package whose header asks for something else than
// the metadata that the closure was solved on is refused, and the difference is
// named.
func TestHeaderIsWhatWasSolved(t *testing.T) {
	t.Parallel()
	rel := func(name string) []nevra.Relation { return []nevra.Relation{{Name: name}} }
	specs := []rpmtest.Spec{
		{Name: "app", Version: "1", Requires: append(rel("needed"), rel("/opt/tool")...), Conflicts: rel("enemy"), Suggests: rel("nice")},
		{Name: "needed", Version: "1"},
		{Name: "tool", Version: "1", Files: map[string][]byte{"/opt/tool": nil}},
		{Name: "fake", Version: "1"},
	}
	for _, c := range []struct {
		name, at, want string
		lie            func(p *repodata.Package)
		root           string
	}{
		{"honest", "", "", func(*repodata.Package) {}, "app"},
		{"no requires", "app", "app-1-1.noarch from repository r: its header requires /opt/tool, the metadata does not; its header requires needed, the metadata does not", func(p *repodata.Package) { p.Requires = nil }, "app"},
		{"a provide that is none", "fake", "the metadata provides cap, its header does not", func(p *repodata.Package) { p.Provides = append(p.Provides, rel("cap")...) }, "cap"},
		{"no conflicts", "app", "its header conflicts with enemy, the metadata does not", func(p *repodata.Package) { p.Conflicts = nil }, "app"},
		{"no suggests", "app", "its header suggests nice, the metadata does not", func(p *repodata.Package) { p.Suggests = nil }, "app"},
		{"obsoletes", "needed", "the metadata obsoletes x, its header does not", func(p *repodata.Package) { p.Obsoletes = rel("x") }, "app"},
		{"a file that is none", "fake", "it was chosen for /opt/fake, but its header has no such file", func(p *repodata.Package) { p.Files = []nevra.File{{Path: "/opt/fake"}} }, "/opt/fake"},
	} {
		lied := false
		url := yumRepo(t, func(p *repodata.Package) {
			if p.Name == c.at {
				lied = true
				c.lie(p)
			}
		}, specs...)
		m, s, _ := rpmSources(t, url, c.root)
		locked, _, err := lockPackages(t.Context(), m, s)
		if err != nil || lied != (c.want != "") {
			t.Fatalf("%s: %v, %v", c.name, lied, err)
		}
		b := &builder{
			Sources: s, manifest: m, lock: &manifest.Lock{Packages: locked}, level: archive.Fast,
			packer: archive.NewPacker(archive.Fast),
		}
		_, err = b.packages(t.Context())
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), "--repo r=URL")) {
			t.Errorf("%s: %v (hint %q), want %q", c.name, err, hint.Of(err), c.want)
		}
	}
}

// TestOldLock: a lock that does not say what was solved is built from, with one
// warning.
func TestOldLock(t *testing.T) {
	t.Parallel()
	url := yumRepo(t, nil, rpmtest.Spec{Name: "app", Version: "1", Requires: []nevra.Relation{{Name: "needed"}}}, rpmtest.Spec{Name: "needed", Version: "1"})
	m, s, warnings := rpmSources(t, url, "app")
	locked, _, err := lockPackages(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range locked {
		locked[i].Relations = ""
	}
	b := &builder{
		Sources: s, manifest: m, lock: &manifest.Lock{Packages: locked}, level: archive.Fast,
		packer: archive.NewPacker(archive.Fast),
	}
	if _, err := b.packages(t.Context()); err != nil {
		t.Error(err)
	}
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "bundle build --update") {
		t.Errorf("warnings %q", *warnings)
	}
}
