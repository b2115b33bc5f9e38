package bundle

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"kubecrate/pkg/depsolve"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
)

// BenchmarkClosure10k reads the metadata of 10,000 packages, as gzip, and
// solves two roots over it. It reports the heap that is live at the end in MB.
func BenchmarkClosure10k(b *testing.B) {
	metadata := distribution(b, 10_000)
	b.SetBytes(int64(len(metadata)))
	b.ReportAllocs()
	var live runtime.MemStats
	for b.Loop() {
		plain, err := repodata.Decompress("primary.xml.gz", bytes.NewReader(metadata))
		if err != nil {
			b.Fatal(err)
		}
		var candidates []depsolve.Candidate
		err = repodata.ReadPrimary(b.Context(), plain, func(p *repodata.Package) error {
			candidates = append(candidates, depsolve.Candidate{Meta: &p.Metadata, Repo: "base", Checksum: p.Checksum.Value, ID: len(candidates)})
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		s, err := depsolve.Solve(depsolve.Problem{Arch: "x86_64", Roots: []string{"pkg9999", "pkg5000"}, Candidates: candidates})
		if err != nil {
			b.Fatal(err)
		}
		if len(s.Chosen) < 10 || len(candidates) != 10_000 {
			b.Fatalf("%d of %d packages chosen", len(s.Chosen), len(candidates))
		}
		runtime.ReadMemStats(&live)
	}
	b.ReportMetric(float64(live.HeapInuse)/1e6, "MB-heap")
	b.ReportMetric(float64(live.Sys)/1e6, "MB-sys")
}

// distribution is primary.xml.gz of n packages, each with ten provides, eight
// requires of older packages and a few files, as a distribution has them.
func distribution(b *testing.B, n int) []byte {
	b.Helper()
	pkgs := make([]repodata.Package, n)
	for i := range pkgs {
		m := nevra.Metadata{
			NEVRA:   nevra.NEVRA{Name: fmt.Sprintf("pkg%d", i), EVR: nevra.EVR{Version: fmt.Sprintf("1.%d", i%40), Release: "1.el7"}, Arch: "x86_64"},
			Summary: "a package", Description: "A package that stands for one of a distribution's.", License: "MIT", Group: "System",
		}
		m.Provides = append(m.Provides, nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR})
		for k := range 9 {
			m.Provides = append(m.Provides, nevra.Relation{Name: fmt.Sprintf("lib%d.so.%d()(64bit)", i, k)})
		}
		for k := range min(8, i) {
			at := i / (k + 2)
			m.Requires = append(m.Requires, nevra.Relation{Name: fmt.Sprintf("lib%d.so.%d()(64bit)", at, k)})
		}
		for k := range 4 {
			m.Files = append(m.Files, nevra.File{Path: fmt.Sprintf("/usr/bin/tool%d-%d", i, k)})
		}
		pkgs[i] = repodata.Package{
			Metadata: m, Location: "Packages/" + m.FileName(), Size: 1000,
			Checksum: repodata.Checksum{Type: "sha256", Value: sum([]byte(m.Name))},
		}
	}
	files := &memoryFiles{}
	if err := repodata.Write(files.create, pkgs, repodata.WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	for _, f := range files.list {
		if bytes.Contains([]byte(f.name), []byte("primary")) {
			out, err := io.ReadAll(&f.Buffer)
			if err != nil {
				b.Fatal(err)
			}
			return out
		}
	}
	b.Fatal("no primary.xml was written")
	return nil
}
