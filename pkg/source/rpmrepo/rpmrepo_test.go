package rpmrepo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
	"kubecrate/pkg/source"
	"kubecrate/pkg/store"
)

// tree is a repository in memory: content by path below its root.
type tree map[string][]byte

type treeFile struct {
	bytes.Buffer
	tree tree
	name string
}

func (f *treeFile) Close() error {
	f.tree[f.name] = f.Bytes()
	return nil
}

// repository builds RPMs and the metadata over them; change may alter what the
// metadata says.
func repository(t *testing.T, change func(p *repodata.Package), specs ...rpmtest.Spec) tree {
	t.Helper()
	files := tree{}
	var pkgs []repodata.Package
	for _, spec := range specs {
		b, err := rpmtest.Build(spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := rpm.Check(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		meta, span := checked.Metadata, checked.Header
		sum := sha256.Sum256(b)
		p := repodata.Package{
			Metadata: *meta, Location: "Packages/" + meta.FileName(), Size: int64(len(b)),
			Checksum: repodata.Checksum{Type: "sha256", Value: hex.EncodeToString(sum[:])}, HeaderStart: span.Start, HeaderEnd: span.End,
		}
		files[p.Location] = b
		if change != nil {
			change(&p)
		}
		pkgs = append(pkgs, p)
	}
	err := repodata.Write(func(name string) (io.WriteCloser, error) {
		return &treeFile{tree: files, name: name}, nil
	}, pkgs, repodata.WriteOptions{Revision: "42"})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// path is the name of the metadata file of a type.
func (r tree) path(t *testing.T, kind string) string {
	t.Helper()
	for name := range r {
		if strings.HasSuffix(name, "-"+kind+".xml.gz") {
			return name
		}
	}
	t.Fatalf("no %s in the repository", kind)
	return ""
}

// simple gives the metadata files the plain names that old repositories use.
func (r tree) simple(t *testing.T) tree {
	t.Helper()
	out := tree{}
	re := regexp.MustCompile(`[0-9a-f]{64}-(primary|filelists|other)\.xml\.gz`)
	for name, b := range r {
		out[re.ReplaceAllString(name, "$1.xml.gz")] = b
	}
	out["repodata/repomd.xml"] = re.ReplaceAll(out["repodata/repomd.xml"], []byte("$1.xml.gz"))
	return out
}

// mirror is a server of one tree that counts what it was asked for.
type mirror struct {
	*httptest.Server
	mu   sync.Mutex
	hits map[string]int
}

func serve(t *testing.T, files tree) *mirror {
	t.Helper()
	m := &mirror{hits: make(map[string]int)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/repo/")
		m.mu.Lock()
		m.hits[name]++
		m.mu.Unlock()
		b, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) base() string { return m.URL + "/repo" }

func (m *mirror) count(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hits[name]
}

func fetcher(t *testing.T) *source.Fetcher {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return source.New(s, source.Options{Jobs: 2, Retries: 1, Stall: 5 * time.Second})
}

func specs() []rpmtest.Spec {
	return []rpmtest.Spec{
		{Name: "foo", Version: "1.0", Arch: "x86_64", Requires: []nevra.Relation{{Name: "/usr/share/bar/data"}, {Name: "/usr/bin/bar"}, {Name: "(bar if /opt/x/y)"}}},
		{Name: "bar", Epoch: "2", Version: "1.1", Release: "3.el7", Files: map[string][]byte{
			"/usr/bin/bar": []byte("#!"), "/usr/share/bar/data": []byte("x"), "/usr/share/bar/more": []byte("y"),
		}},
	}
}

func names(r *Repository) []string {
	var out []string
	for _, p := range r.Packages {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return out
}

func load(t *testing.T, repo manifest.Repo) *Repository {
	t.Helper()
	r, err := Load(t.Context(), fetcher(t), repo)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLoad(t *testing.T) {
	t.Parallel()
	m := serve(t, repository(t, nil, specs()...))
	other := "https://mirror.example/deep/repo/"
	r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base(), other}, Priority: 7})
	if got, want := names(r), []string{"bar-2:1.1-3.el7.noarch", "foo-1.0-1.x86_64"}; !reflect.DeepEqual(got, want) {
		t.Errorf("packages %q, want %q", got, want)
	}
	if r.ID != "test" || r.Priority != 7 {
		t.Errorf("repository %q, priority %d", r.ID, r.Priority)
	}
	for _, p := range r.Packages {
		if p.Name != "foo" {
			continue
		}
		want := []source.Location{{URL: m.base() + "/Packages/foo-1.0-1.x86_64.rpm"}, {URL: other + "Packages/foo-1.0-1.x86_64.rpm"}}
		if got := r.Locations(p); !reflect.DeepEqual(got, want) {
			t.Errorf("locations %v, want %v", got, want)
		}
		got, err := Locations(manifest.Repo{BaseURL: []string{m.base(), other}}, Href(p))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("locations of the href %v, error %v, want %v", got, err, want)
		}
	}
	if n := m.count("repodata/repomd.xml"); n != 1 {
		t.Errorf("repomd.xml was fetched %d times", n)
	}
}

// TestLoadMirrors: a bad mirror gives way to a good one, whatever ails it.
func TestLoadMirrors(t *testing.T) {
	t.Parallel()
	good := repository(t, nil, specs()...)
	older := repository(t, nil, specs()[:1]...)
	damaged := func(change func(r tree)) tree {
		r := tree{}
		for k, v := range good.simple(t) {
			r[k] = v
		}
		change(r)
		return r
	}
	for name, bad := range map[string]tree{
		"empty":     {},
		"html":      {"repodata/repomd.xml": []byte("<!DOCTYPE html><html>Not here</html>")},
		"cut":       damaged(func(r tree) { r["repodata/repomd.xml"] = r["repodata/repomd.xml"][:500] }),
		"half sync": damaged(func(r tree) { r["repodata/primary.xml.gz"] = older[older.path(t, "primary")] }),
		"no data":   {"repodata/repomd.xml": []byte(`<repomd xmlns="http://linux.duke.edu/metadata/repo"/>`)},
		"no primary": damaged(func(r tree) {
			delete(r, "repodata/primary.xml.gz")
		}),
		"open size": damaged(func(r tree) {
			r["repodata/repomd.xml"] = regexp.MustCompile(`<open-size>\d+`).ReplaceAll(r["repodata/repomd.xml"], []byte("<open-size>100"))
		}),
		"open checksum": damaged(func(r tree) {
			r["repodata/repomd.xml"] = regexp.MustCompile(`<open-checksum type="sha256">.`).ReplaceAll(r["repodata/repomd.xml"], []byte(`<open-checksum type="sha256">g`))
		}),
		"wrong open checksum": damaged(func(r tree) {
			r["repodata/repomd.xml"] = regexp.MustCompile(`<open-checksum type="sha256">\w{64}`).ReplaceAll(r["repodata/repomd.xml"],
				[]byte(`<open-checksum type="sha256">`+strings.Repeat("0", 64)))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := serve(t, bad), serve(t, good)
			r := load(t, manifest.Repo{ID: "test", BaseURL: []string{first.base(), second.base()}})
			if len(r.Packages) != 2 {
				t.Errorf("%d packages", len(r.Packages))
			}
			if got := r.Locations(r.Packages[0])[0].URL; !strings.HasPrefix(got, second.base()) {
				t.Errorf("the first location is %s, not of the good mirror", got)
			}
			if _, err := r.LoadFiles(t.Context(), nil); err != nil {
				t.Error(err)
			}
			_, err := Load(t.Context(), fetcher(t), manifest.Repo{ID: "test", BaseURL: []string{first.base()}})
			if err == nil || !strings.HasPrefix(err.Error(), "cannot load repository test: ") {
				t.Errorf("the bad mirror alone: error %v", err)
			}
		})
	}
}

// TestLoadWrongChecksum: the error names repository, file and both sums.
func TestLoadWrongChecksum(t *testing.T) {
	t.Parallel()
	files := repository(t, nil, specs()...)
	name := files.path(t, "primary")
	want := strings.TrimSuffix(filepath.Base(name), "-primary.xml.gz")
	files[name] = append([]byte(nil), files[name]...)
	files[name][len(files[name])/2] ^= 1
	sum := sha256.Sum256(files[name])
	m := serve(t, files)
	_, err := Load(t.Context(), fetcher(t), manifest.Repo{ID: "broken", BaseURL: []string{m.base()}})
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	for _, part := range []string{"repository broken", "primary.xml", want, hex.EncodeToString(sum[:])} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q lacks %q", err, part)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	_, err := Load(t.Context(), fetcher(t), manifest.Repo{ID: "test"})
	if err == nil || hint.Of(err) == "" {
		t.Errorf("no baseurl: error %v, hint %q", err, hint.Of(err))
	}
	m := serve(t, tree{"repodata/repomd.xml": []byte("<html></html>")})
	_, err = Load(t.Context(), fetcher(t), manifest.Repo{ID: "test", BaseURL: []string{m.base()}})
	if err == nil || !strings.Contains(hint.Of(err), m.base()) {
		t.Errorf("a page in place of a repository: error %v, hint %q", err, hint.Of(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good := serve(t, repository(t, nil, specs()...))
	if _, err := Load(ctx, fetcher(t), manifest.Repo{ID: "test", BaseURL: []string{good.base(), m.base()}}); err == nil {
		t.Error("a canceled load gave no error")
	}
}

// TestLoadLeavesOut: one package that cannot be taken keeps none of the others
// from being taken, and says why.
func TestLoadLeavesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		change     func(*repodata.Package)
	}{
		{"xml:base of ftp", "want http, https, file", func(p *repodata.Package) { p.Base = "ftp://example.org/" }},
		{"xml:base with a fragment", "a fragment is never sent", func(p *repodata.Package) { p.Base = "http://example.org/a#b" }},
		{"href to this machine", "a file of this machine", func(p *repodata.Package) { p.Location = "file:///etc/passwd" }},
	} {
		m := serve(t, repository(t, func(p *repodata.Package) {
			if p.Name == "bar" {
				c.change(p)
			}
		}, specs()...))
		r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base()}})
		if got := names(r); len(got) != 1 || !strings.HasPrefix(got[0], "foo-") {
			t.Errorf("%s: packages %q", c.name, got)
		}
		if len(r.Unusable) != 1 || !strings.Contains(r.Unusable[0].Unusable.Error(), c.want) {
			t.Errorf("%s: left out %+v, want %q", c.name, r.Unusable, c.want)
		}
	}
}

// TestLoadFoldsDuplicates: one package listed twice, and one NEVRA with two
// builds.
func TestLoadFoldsDuplicates(t *testing.T) {
	t.Parallel()
	twice := append(specs(), specs()[0])
	n := 0
	m := serve(t, repository(t, func(p *repodata.Package) {
		n++
		p.Location = fmt.Sprintf("%d/%s", n, p.FileName())
	}, twice...))
	if r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base()}}); len(r.Packages) != 2 {
		t.Errorf("%d packages, want 2: %q", len(r.Packages), names(r))
	}
	rebuilt := specs()[0]
	rebuilt.Summary = "another build"
	n = 0
	m = serve(t, repository(t, func(p *repodata.Package) {
		n++
		p.Location = fmt.Sprintf("%d/%s", n, p.FileName())
	}, specs()[0], rebuilt))
	if r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base()}}); len(r.Packages) != 2 {
		t.Errorf("%d packages, want both builds", len(r.Packages))
	}
}

func filesOf(r *Repository, name string) []string {
	var out []string
	for _, p := range r.Packages {
		if p.Name == name {
			for _, f := range p.Files {
				out = append(out, f.Path)
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	files := repository(t, nil, specs()...)
	m := serve(t, files)
	r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base()}})
	list := files.path(t, "filelists")
	if n := m.count(list); n != 0 {
		t.Errorf("filelists.xml was fetched %d times before it was asked for", n)
	}
	if got := filesOf(r, "bar"); !reflect.DeepEqual(got, []string{"/usr/bin/bar"}) {
		t.Errorf("files of primary.xml: %q", got)
	}
	wanted := make(map[string]bool)
	r.Paths(func(path string) { wanted[path] = true })
	if want := map[string]bool{"/usr/share/bar/data": true, "/opt/x/y": true}; !reflect.DeepEqual(wanted, want) {
		t.Errorf("paths %v, want %v", wanted, want)
	}
	for range 2 {
		if unlisted, err := r.LoadFiles(t.Context(), wanted); err != nil || len(unlisted) != 0 {
			t.Fatal(unlisted, err)
		}
	}
	if got, want := filesOf(r, "bar"), []string{"/usr/bin/bar", "/usr/share/bar/data"}; !reflect.DeepEqual(got, want) {
		t.Errorf("wanted files %q, want %q", got, want)
	}
	if n := m.count(list); n != 1 {
		t.Errorf("filelists.xml was fetched %d times", n)
	}
}

func TestLoadFilesErrors(t *testing.T) {
	t.Parallel()
	wanted := map[string]bool{"/usr/share/bar/data": true}
	files := repository(t, nil, specs()...)
	delete(files, files.path(t, "filelists"))
	m := serve(t, files)
	r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base()}})
	before := filesOf(r, "bar")
	if _, err := r.LoadFiles(t.Context(), wanted); err == nil || !strings.Contains(err.Error(), "cannot load file lists of repository test: ") {
		t.Errorf("filelists.xml is gone: error %v", err)
	}
	if got := filesOf(r, "bar"); !reflect.DeepEqual(got, before) {
		t.Errorf("files changed to %q", got)
	}
	// The same file, by its checksum, from another mirror.
	whole := serve(t, repository(t, nil, specs()...))
	r = load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base(), whole.base()}})
	if _, err := r.LoadFiles(t.Context(), wanted); err != nil || len(filesOf(r, "bar")) != 2 {
		t.Errorf("from the other mirror: files %q, error %v", filesOf(r, "bar"), err)
	}
	// A list that lacks a package.
	all, some := repository(t, nil, specs()...).simple(t), repository(t, nil, specs()[:1]...).simple(t)
	md := string(all["repodata/repomd.xml"])
	cut := func(s string) (before, data, after string) {
		i, j := strings.Index(s, `<data type="filelists">`), strings.Index(s, `<data type="other">`)
		return s[:i], s[i:j], s[j:]
	}
	head, _, tail := cut(md)
	_, data, _ := cut(string(some["repodata/repomd.xml"]))
	all["repodata/repomd.xml"], all["repodata/filelists.xml.gz"] = []byte(head+data+tail), some["repodata/filelists.xml.gz"]
	r = load(t, manifest.Repo{ID: "test", BaseURL: []string{serve(t, all).base()}})
	unlisted, err := r.LoadFiles(t.Context(), map[string]bool{"/usr/bin/foo": true})
	if err != nil || len(unlisted) != 1 || unlisted[0].Name != "bar" || !slices.Contains(filesOf(r, "bar"), "/usr/bin/bar") {
		t.Errorf("a package without a list: %v, error %v, files %q", unlisted, err, filesOf(r, "bar"))
	}
	all["repodata/repomd.xml"] = []byte(head + tail)
	r = load(t, manifest.Repo{ID: "test", BaseURL: []string{serve(t, all).base()}})
	if _, err := r.LoadFiles(t.Context(), wanted); err == nil || !strings.Contains(err.Error(), "names no filelists.xml") {
		t.Errorf("no filelists at all: error %v", err)
	}
}

// TestLoadClimbing: hrefs that leave the repository's root are followed, as yum
// does, and nothing is written but below the store.
func TestLoadClimbing(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	s, err := store.Open(filepath.Join(outer, "a", "b", "store"))
	if err != nil {
		t.Fatal(err)
	}
	f := source.New(s, source.Options{Jobs: 1, Retries: 1, Stall: 5 * time.Second})
	climb := "../../../../../../../../"
	files := repository(t, func(p *repodata.Package) { p.Location = climb + "pool/" + p.FileName() }, specs()...).simple(t)
	files["repodata/repomd.xml"] = bytes.ReplaceAll(files["repodata/repomd.xml"], []byte("repodata/primary.xml.gz"), []byte(climb+"evil.gz"))
	files["/evil.gz"] = files["repodata/primary.xml.gz"]
	for name, b := range files {
		if base, ok := strings.CutPrefix(name, "Packages/"); ok {
			files["/pool/"+base] = b
		}
	}
	m := serve(t, files)
	r, err := Load(t.Context(), f, manifest.Repo{ID: "../../test", BaseURL: []string{m.base()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Packages {
		where := r.Locations(p)
		if len(where) != 1 || where[0].URL != m.URL+"/pool/"+p.FileName() {
			t.Errorf("%s lies at %v", p.NEVRA, where)
		}
		if _, err := f.Fetch(t.Context(), source.Blob{Name: p.String(), Digest: p.Checksum.Digest(), Size: p.Size, Locations: where}); err != nil {
			t.Error(err)
		}
	}
	err = filepath.WalkDir(outer, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, filepath.Join(outer, "a", "b", "store")+string(filepath.Separator)) {
			t.Errorf("%s was written", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoadBase(t *testing.T) {
	t.Parallel()
	m := serve(t, repository(t, func(p *repodata.Package) { p.Base = "https://cdn.example/x" }, specs()[0]))
	r := load(t, manifest.Repo{ID: "test", BaseURL: []string{m.base(), "https://mirror.example/"}})
	want := []source.Location{{URL: "https://cdn.example/x/Packages/foo-1.0-1.x86_64.rpm"}}
	if got := r.Locations(r.Packages[0]); !reflect.DeepEqual(got, want) {
		t.Errorf("locations %v, want %v", got, want)
	}
	got, err := Locations(manifest.Repo{ID: "test", BaseURL: []string{m.base(), "https://mirror.example/"}}, Href(r.Packages[0]))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("locations of the href %v, error %v, want %v", got, err, want)
	}
	if _, err := Locations(manifest.Repo{ID: "test", BaseURL: []string{m.base()}}, "file:///etc/passwd"); err == nil {
		t.Error("a web repository leads to a local file")
	}
}

// TestLoadFolder: a repository on this machine, by path and by URL.
func TestLoadFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, b := range repository(t, nil, specs()...) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, base := range []string{dir, "file://" + dir} {
		if r := load(t, manifest.Repo{ID: "test", BaseURL: []string{base}}); len(r.Packages) != 2 {
			t.Errorf("%s: %d packages", base, len(r.Packages))
		}
	}
}

// TestLoadReal loads the real repositories beside the module over HTTP: sha1
// and sha256, repomd.xml with and without sizes.
func TestLoadReal(t *testing.T) {
	t.Parallel()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "..", "..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no shared data beside the module")
	}
	server := httptest.NewServer(http.FileServer(http.Dir(data)))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		path  string
		count int
		lists bool
	}{
		{"repodata/kubernetes-el7-x86_64@1.17.2-20200121", 460, true},
		{"repodata/libzypp-bug206927", 1643, false},
		{"repodata/yum.dockerproject.org-main-centos-7", 110, true},
		{"rpms/el7-docker-closure", 140, true},
	} {
		r := load(t, manifest.Repo{ID: "real", BaseURL: []string{server.URL + "/" + test.path}})
		if len(r.Packages) != test.count {
			t.Errorf("%s: %d packages, want %d", test.path, len(r.Packages), test.count)
		}
		if _, err := r.LoadFiles(t.Context(), map[string]bool{"/usr/bin/docker": true}); (err == nil) != test.lists {
			t.Errorf("%s: file lists: error %v", test.path, err)
		}
	}
}
