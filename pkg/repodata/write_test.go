package repodata

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm"
)

func TestRequires(t *testing.T) {
	t.Parallel()
	evr := nevra.EVR{Version: "1", Release: "2"}
	m := &nevra.Metadata{
		Provides: []nevra.Relation{{Name: "self", Op: nevra.EQ, EVR: evr}, {Name: "config(self)", Op: nevra.EQ, EVR: nevra.EVR{Epoch: "0", Version: "1", Release: "2"}}, {Name: "own.so"}},
		Files:    []nevra.File{{Path: "/usr/bin/own"}, {Path: "/usr/share/own"}},
		Requires: []nevra.Relation{
			{Name: "rpmlib(CompressedFileNames)", Op: nevra.LE, EVR: nevra.EVR{Version: "3.0.4", Release: "1"}},
			{Name: "libc.so.6(GLIBC_2.2.5)(64bit)"},
			{Name: "/bin/sh", Pre: true},
			{Name: "/bin/sh"},
			{Name: "/bin/sh"},
			{Name: "/usr/bin/own"},
			{Name: "/usr/share/own"},
			{Name: "own.so"},
			{Name: "config(self)", Op: nevra.EQ, EVR: evr},
			{Name: "self", Op: nevra.EQ, EVR: nevra.EVR{Version: "2"}},
			{Name: "libc.so.6(GLIBC_2.14)(64bit)"},
			{Name: "libc.so.6(GLIBC_2.4)(64bit)"},
			{Name: "libc.so.6()(64bit)"},
			{Name: "last"},
		},
	}
	var got []string
	for _, r := range requires(m) {
		got = append(got, fmt.Sprint(r, r.Pre))
	}
	want := []string{
		"/bin/sh true", "/bin/sh false", "/usr/share/own false", "self = 2 false", "last false", "libc.so.6(GLIBC_2.14)(64bit) false",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestWriteRead writes packages, reads them back and writes them again.
func TestWriteRead(t *testing.T) {
	t.Parallel()
	pkgs := generated(50)
	pkgs[7].Epoch = "3"
	pkgs[7].Base = "http://example.org/?a=1&b=\"2\""
	pkgs[7].Conflicts = []nevra.Relation{{Name: "x", Op: nevra.LT, EVR: nevra.EVR{Epoch: "1", Version: "2"}}}
	pkgs[7].Obsoletes = []nevra.Relation{{Name: "y", Op: nevra.LE, EVR: nevra.EVR{Version: "2", Release: "3"}}}
	pkgs[7].Supplements = []nevra.Relation{{Name: "(a if b)"}}
	pkgs[7].Files = append(pkgs[7].Files, nevra.File{Path: "/var/ghost<&>", Type: nevra.Ghost})
	repo := memoryRepo{}
	if err := Write(repo.create, pkgs, WriteOptions{Revision: "12"}); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, bytes.NewReader(repo.document(t, Primary)))
	byID := make(map[string]*Package)
	for _, p := range got {
		byID[p.Checksum.Value] = p
		p.Files = nil
	}
	err := ReadFilelists(context.Background(), bytes.NewReader(repo.document(t, Filelists)), nil, func(id string, n nevra.NEVRA, files []nevra.File) error {
		if byID[id] == nil || byID[id].NEVRA != n {
			return fmt.Errorf("no package %s", n)
		}
		byID[id].Files = files
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pkgs {
		want := pkgs[i]
		want.Requires = requires(&want.Metadata)
		if p := byID[want.Checksum.Value]; p == nil || !reflect.DeepEqual(*p, want) {
			t.Fatalf("got  %+v\nwant %+v", p, want)
		}
	}
	other := string(repo.document(t, Other))
	if n := strings.Count(other, "<package "); n != len(pkgs) {
		t.Errorf("other.xml lists %d packages", n)
	}
	again := memoryRepo{}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(pkgs), func(i, j int) { pkgs[i], pkgs[j] = pkgs[j], pkgs[i] })
	if err := Write(again.create, pkgs, WriteOptions{Revision: "12"}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(repo, again) {
		t.Error("the order of the packages changes what is written")
	}
}

// TestWriteEscapes: text that XML cannot hold as it is.
func TestWriteEscapes(t *testing.T) {
	t.Parallel()
	p := generated(1)[0]
	for in, want := range map[string]string{
		"a & b < c > d \"e\" 'f'": "a & b < c > d \"e\" 'f'",
		"tab\tline\ncr\rend":      "tab\tline\ncr\rend",
		"caf\xe9":                 "café",
		"bell\x07 nul\x00":        "bell nul",
		"żółć 漢 \U0001F600":       "żółć 漢 \U0001F600",
		"\uffff\ufffd":            "\ufffd",
		"]]>":                     "]]>",
	} {
		p.Description = in
		p.Provides = []nevra.Relation{{Name: in}}
		repo := memoryRepo{}
		if err := Write(repo.create, []Package{p}, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		got := readAll(t, bytes.NewReader(repo.document(t, Primary)))[0]
		if got.Description != want || got.Provides[0].Name != want {
			t.Errorf("%q came back as %q and %q, want %q", in, got.Description, got.Provides[0].Name, want)
		}
	}
}

type failingFile struct{ writeErr, closeErr error }

func (f failingFile) Write(p []byte) (int, error) { return len(p), f.writeErr }
func (f failingFile) Close() error                { return f.closeErr }

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, test := range []struct {
		name   string
		change func(p []Package)
		create func(string) (io.WriteCloser, error)
		want   string
	}{
		{"create", nil, func(string) (io.WriteCloser, error) { return nil, full }, "cannot write primary.xml: disk full"},
		{"write", nil, func(string) (io.WriteCloser, error) { return failingFile{writeErr: full}, nil }, "cannot write primary.xml: disk full"},
		{"close", nil, func(name string) (io.WriteCloser, error) {
			if name == "repodata/repomd.xml" {
				return failingFile{closeErr: full}, nil
			}
			return failingFile{}, nil
		}, "cannot write repomd.xml: disk full"},
		{"name", func(p []Package) { p[0].Name = "../x" }, nil, "has an invalid character"},
		{"location", func(p []Package) { p[0].Location = "" }, nil, "has no location"},
		{"same location", func(p []Package) { p[0].Location = p[1].Location }, nil, "have the same location"},
		{"checksum", func(p []Package) { p[0].Checksum.Type = "md5" }, nil, "md5 is rejected"},
	} {
		pkgs := generated(3)
		if test.change != nil {
			test.change(pkgs)
		}
		create := test.create
		if create == nil {
			create = memoryRepo{}.create
		}
		err := Write(create, pkgs, WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
}

// fromRPM is what the builder does: header, size and checksum of a file.
func fromRPM(t *testing.T, path, location string) Package {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := rpm.Check(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	meta, span := checked.Metadata, checked.Header
	sum := sha256.Sum256(b)
	return Package{
		Metadata: *meta, Location: location, Checksum: Checksum{"sha256", hex.EncodeToString(sum[:])},
		Size: int64(len(b)), FileTime: info.ModTime().Unix(), HeaderStart: span.Start, HeaderEnd: span.End,
	}
}

// rpmFolder makes a folder with links to all packages of a shared folder.
func rpmFolder(t *testing.T, pattern string) (dir string, names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedData(t), pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no packages in %s: %v", pattern, err)
	}
	dir = t.TempDir()
	for _, f := range files {
		if err := os.Symlink(f, filepath.Join(dir, filepath.Base(f))); err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(f))
	}
	return dir, names
}

// readDir reads a repository on disk into its packages with all files.
func readDir(t *testing.T, dir string) map[string]*Package {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "repodata", "repomd.xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	md, err := ReadRepomd(f)
	if err != nil {
		t.Fatal(err)
	}
	pkgs := make(map[string]*Package)
	for _, p := range readAll(t, bytes.NewReader(realDocument(t, dir, md, Primary))) {
		pkgs[p.Checksum.Value] = p
	}
	err = ReadFilelists(context.Background(), bytes.NewReader(realDocument(t, dir, md, Filelists)), nil,
		func(id string, _ nevra.NEVRA, files []nevra.File) error {
			if err := containsPrimary(pkgs[id], files); err != nil {
				return err
			}
			pkgs[id].Files = files
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// diskRepo creates the files of Write below dir.
func diskRepo(dir string) func(string) (io.WriteCloser, error) {
	return func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return os.Create(path)
	}
}

// TestAgainstCreaterepo compares, field by field, what Write and createrepo_c
// say of the same packages.
func TestAgainstCreaterepo(t *testing.T) {
	createrepo := tool(t, "createrepo_c")
	for _, pattern := range []string{
		"rpms/el7-docker-closure/*.rpm", "rpms/el7-k8s-deps/*.rpm", "rpms/el7-multilib/*.rpm", "rpms/el7/*.rpm",
		"rpms/cavaliergopher/*.rpm", "rpms/el8-weka/*/*.rpm", "rpms/el8-weka/*/*/*.rpm",
	} {
		theirs, names := rpmFolder(t, pattern)
		out, err := exec.CommandContext(t.Context(), createrepo, "--general-compress-type=gz", "-q", theirs).CombinedOutput()
		if err != nil {
			t.Fatalf("createrepo_c: %v\n%s", err, out)
		}
		ours := t.TempDir()
		var pkgs []Package
		for _, name := range names {
			pkgs = append(pkgs, fromRPM(t, filepath.Join(theirs, name), name))
		}
		if err := Write(diskRepo(ours), pkgs, WriteOptions{Revision: "1"}); err != nil {
			t.Fatal(err)
		}
		want, got := readDir(t, theirs), readDir(t, ours)
		if len(got) != len(want) || len(got) != len(names) {
			t.Errorf("%s: %d packages, createrepo_c has %d of %d", pattern, len(got), len(want), len(names))
		}
		for id, w := range want {
			if g := got[id]; g == nil {
				t.Errorf("%s is missing", w.NEVRA)
			} else {
				comparePackages(t, g, w)
			}
		}
	}
}

// comparePackages reports every field that differs.
func comparePackages(t *testing.T, got, want *Package) {
	t.Helper()
	// createrepo_c 0.17 takes the time of the link, Write that of the caller.
	got.FileTime = want.FileTime
	g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if field := g.Type().Field(i); field.Name != "Metadata" && !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s: %s is %v, createrepo_c has %v", want.NEVRA, field.Name, g.Field(i), w.Field(i))
		}
	}
	g, w = reflect.ValueOf(got.Metadata), reflect.ValueOf(want.Metadata)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s: %s is\n%v, createrepo_c has\n%v", want.NEVRA, g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
}

// TestDnfReadsOurs lists a repository of ours with dnf.
func TestDnfReadsOurs(t *testing.T) {
	dnf := tool(t, "dnf")
	dir, names := rpmFolder(t, "rpms/el7-docker-closure/*.rpm")
	var pkgs []Package
	var want []string
	for _, name := range names {
		p := fromRPM(t, filepath.Join(dir, name), name)
		pkgs = append(pkgs, p)
		want = append(want, p.String())
	}
	if err := Write(diskRepo(dir), pkgs, WriteOptions{Revision: "1"}); err != nil {
		t.Fatal(err)
	}
	query := func(args ...string) []string {
		t.Helper()
		root := t.TempDir()
		argv := append([]string{
			"--disablerepo=*", "--repofrompath=b,file://" + dir, "--installroot=" + root, "--releasever=7", "--forcearch=x86_64",
			"--setopt=reposdir=/dev/null", "--setopt=cachedir=" + root + "/cache", "--setopt=logdir=" + root, "--setopt=module_platform_id=platform:el7", "-q", "repoquery",
		}, args...)
		cmd := exec.CommandContext(t.Context(), dnf, argv...)
		cmd.Env = append(os.Environ(), "HOME="+root)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("dnf %q: %v\n%s%s", argv, err, out, stderr.String())
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		sort.Strings(lines)
		return lines
	}
	// dnf writes the epoch always.
	got := query("--qf", "%{name}-%{evr}.%{arch}")
	sort.Strings(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("dnf lists %d packages, want %d:\n%q\n%q", len(got), len(want), got, want)
	}
	for file, owner := range map[string]string{"/usr/bin/getfacl": "acl", "/usr/share/doc/acl-2.2.51/README": "acl"} {
		if got := query("--qf", "%{name}", "--whatprovides", file); !reflect.DeepEqual(got, []string{owner}) {
			t.Errorf("dnf says %s is of %q, want %s", file, got, owner)
		}
	}
	if got := query("--qf", "%{name}", "--whatprovides", "libacl.so.1()(64bit)"); !reflect.DeepEqual(got, []string{"libacl"}) {
		t.Errorf("dnf says libacl.so.1 is of %q", got)
	}
}
