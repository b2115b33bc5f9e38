package repodata

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kubecrate/pkg/nevra"
)

// sharedData is the folder of real metadata and packages beside the module;
// without it the test is skipped.
func sharedData(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			data := filepath.Join(dir, "..", "shared", "data")
			if _, err := os.Stat(data); err != nil {
				t.Skip("no shared data beside the module")
			}
			return data
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the package")
	return ""
}

// tool returns the path of a program; without it the test is skipped, or fails
// in the lab.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("KUBECRATE_LAB") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// open decompresses a file.
func openFile(t testing.TB, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, err := Decompress(filepath.Base(path), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// documents are all XML files of the real metadata, decompressed.
func documents(t testing.TB) map[string][]byte {
	t.Helper()
	data := sharedData(t)
	docs := make(map[string][]byte)
	for _, pattern := range []string{
		"repodata/*/repodata/*.xml*", "rpms/*/repodata/*.xml*", "rpms/*/*/repodata/*.xml*",
	} {
		names, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if filepath.Ext(name) == ".asc" {
				continue
			}
			b, err := io.ReadAll(openFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(data, name)
			if err != nil {
				t.Fatal(err)
			}
			docs[rel] = b
		}
	}
	if len(docs) < 20 {
		t.Fatalf("only %d documents found", len(docs))
	}
	return docs
}

// readAll reads every package of a primary.xml.
func readAll(t testing.TB, r io.Reader) []*Package {
	t.Helper()
	var pkgs []*Package
	err := ReadPrimary(context.Background(), r, func(p *Package) error {
		pkgs = append(pkgs, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// memoryRepo collects what Write creates.
type memoryRepo map[string]*bytes.Buffer

type memoryFile struct{ *bytes.Buffer }

func (memoryFile) Close() error { return nil }

func (m memoryRepo) create(name string) (io.WriteCloser, error) {
	if m[name] != nil {
		return nil, fmt.Errorf("%s is made twice", name)
	}
	m[name] = &bytes.Buffer{}
	return memoryFile{m[name]}, nil
}

// document is the decompressed content of the file of a type.
func (m memoryRepo) document(t testing.TB, kind string) []byte {
	t.Helper()
	md, err := ReadRepomd(bytes.NewReader(m["repodata/repomd.xml"].Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	d, ok := md.Find(kind)
	if !ok {
		t.Fatalf("no %s in repomd.xml", kind)
	}
	r, err := DecompressLimit(d.Location, bytes.NewReader(m[d.Location].Bytes()), d.OpenSize)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generated are n packages shaped like a distribution's: with them primary.xml
// takes about 4 KB a package, as CentOS 7's does.
func generated(n int) []Package {
	pkgs := make([]Package, n)
	for i := range pkgs {
		name := fmt.Sprintf("package-%d", i)
		evr := nevra.EVR{Version: fmt.Sprintf("%d.%d.%d", i%7, i%13, i%29), Release: fmt.Sprintf("%d.el7", i%17)}
		p := &pkgs[i]
		p.NEVRA = nevra.NEVRA{Name: name, EVR: evr, Arch: "x86_64"}
		p.Summary = "The summary of " + name
		p.Description = fmt.Sprintf("Number %d <of> a set.\n%s", i, bytes.Repeat([]byte("It does what packages do & more. "), 12))
		p.Packager, p.URL, p.License = "CentOS BuildSystem <http://bugs.centos.org>", "http://example.org/"+name, "GPLv2+ and BSD"
		p.Vendor, p.Group, p.BuildHost, p.SourceRPM = "CentOS", "Development/Libraries", "c1bm.rdu2.centos.org", name+"-"+evr.String()+".src.rpm"
		p.Location = "Packages/" + p.FileName()
		p.Checksum = Checksum{"sha256", fmt.Sprintf("%064x", i+1)}
		p.Size, p.InstalledSize, p.ArchiveSize, p.BuildTime = int64(1000+i), int64(4000+i), int64(5000+i), 1500000000+int64(i)
		p.Provides = []nevra.Relation{{Name: name, Op: nevra.EQ, EVR: evr}, {Name: name + "(x86-64)", Op: nevra.EQ, EVR: evr}}
		for k := range 10 {
			p.Provides = append(p.Provides, nevra.Relation{Name: fmt.Sprintf("lib%s.so.%d(VERS_%d)(64bit)", name, i%5, k)})
		}
		for k := range 28 {
			other := (i*31 + k*k*97) % n
			switch k % 4 {
			case 0:
				p.Requires = append(p.Requires, nevra.Relation{Name: fmt.Sprintf("package-%d", other), Op: nevra.GE, EVR: nevra.EVR{Version: "0." + fmt.Sprint(k)}})
			case 1:
				p.Requires = append(p.Requires, nevra.Relation{Name: "/bin/sh", Pre: k%8 == 1})
			default:
				p.Requires = append(p.Requires, nevra.Relation{Name: fmt.Sprintf("libpackage-%d.so.%d(VERS_%d)(64bit)", other, other%5, k%10)})
			}
		}
		for k := range 3 {
			p.Files = append(p.Files, nevra.File{Path: fmt.Sprintf("/usr/bin/%s-%d", name, k)})
		}
		p.Files = append(p.Files, nevra.File{Path: "/etc/" + name, Type: nevra.Dir}, nevra.File{Path: "/usr/share/doc/" + name})
	}
	return pkgs
}
