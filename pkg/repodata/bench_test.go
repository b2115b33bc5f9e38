package repodata

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"testing"

	"kubecrate/pkg/nevra"
)

// BenchmarkReadPrimary reads 10,000 packages, decompression included.
func BenchmarkReadPrimary(b *testing.B) {
	repo := memoryRepo{}
	if err := Write(repo.create, generated(10000), WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	doc := repo.document(b, Primary)
	var packed []byte
	for name, buf := range repo {
		if bytes.Contains([]byte(name), []byte("-primary")) {
			packed = buf.Bytes()
		}
	}
	b.Run("plain", func(b *testing.B) { benchmarkRead(b, doc, len(doc)) })
	b.Run("gzip", func(b *testing.B) { benchmarkRead(b, packed, len(doc)) })
	b.Run("encoding-xml", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(bytes.NewReader(doc))
			for {
				if _, err := d.RawToken(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func benchmarkRead(b *testing.B, doc []byte, open int) {
	b.SetBytes(int64(open))
	b.ReportAllocs()
	pkgs := make([]*Package, 0, 10000)
	for b.Loop() {
		pkgs = pkgs[:0]
		r, err := Decompress("primary.xml.gz", bytes.NewReader(doc))
		if err != nil {
			b.Fatal(err)
		}
		if err := ReadPrimary(context.Background(), r, func(p *Package) error {
			pkgs = append(pkgs, p)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if len(pkgs) != 10000 {
		b.Fatalf("%d packages", len(pkgs))
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-live")
	runtime.KeepAlive(pkgs)
}

// BenchmarkReadFilelists reads the files of 10,000 packages, 100 each.
func BenchmarkReadFilelists(b *testing.B) {
	pkgs := generated(10000)
	for i := range pkgs {
		for k := range 95 {
			pkgs[i].Files = append(pkgs[i].Files, nevra.File{Path: "/usr/share/doc/" + pkgs[i].Name + "/file" + string(rune('a'+k%26))})
		}
	}
	repo := memoryRepo{}
	if err := Write(repo.create, pkgs, WriteOptions{}); err != nil {
		b.Fatal(err)
	}
	doc := repo.document(b, Filelists)
	for name, keep := range map[string]func([]byte) bool{
		"all": nil, "some": func(p []byte) bool { return string(p) == "/etc/package-7" },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				err := ReadFilelists(context.Background(), bytes.NewReader(doc), keep,
					func(string, nevra.NEVRA, []nevra.File) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
