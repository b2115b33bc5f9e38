package source_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"kubecrate/pkg/source"
	st "kubecrate/pkg/source/sourcetest"
)

// benchSize is the size of the blob that the benchmarks move, in bytes.
const benchSize = 64 * mib

// BenchmarkFetch moves a blob from loopback to the disk, fsync included.
func BenchmarkFetch(b *testing.B) {
	data := random(benchSize)
	server := httptest.NewServer(st.Content(data))
	b.Cleanup(server.Close)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	f := newFetcher(b, patient())
	blob := blobOf(data, server.URL)
	for b.Loop() {
		if _, err := f.Fetch(b.Context(), blob); err != nil {
			b.Fatal(err)
		}
		if err := f.Store().Remove(blob.Digest); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream reads a blob while it arrives, with the reads of a
// decompressor.
func BenchmarkStream(b *testing.B) {
	data := random(benchSize)
	server := httptest.NewServer(st.Content(data))
	b.Cleanup(server.Close)
	blob := blobOf(data, server.URL)
	for _, from := range []string{"download", "store"} {
		b.Run(from, func(b *testing.B) {
			b.SetBytes(benchSize)
			b.ReportAllocs()
			f := newFetcher(b, patient())
			if _, err := f.Fetch(b.Context(), blob); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 64<<10)
			for b.Loop() {
				if from == "download" {
					if err := f.Store().Remove(blob.Digest); err != nil {
						b.Fatal(err)
					}
				}
				err := f.Consume(b.Context(), blob, func(r io.Reader) error {
					_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// bundleShape is 60 files of 430 MB in all, of the sizes of a bundle's.
func bundleShape() (files map[string][]byte, total int64) {
	files = map[string][]byte{}
	for i := range 60 {
		size := 1<<20 + i*4096
		switch {
		case i == 59:
			size = 110 * mib
		case i >= 20:
			size = 7*mib + i*4096
		}
		total += int64(size)
		files[fmt.Sprintf("/%d", i)] = random(size)
	}
	return files, total
}

// BenchmarkSet moves them into an empty cache: what the cold build asks of this
// package. "fetch" does nothing with them; "pipeline" reads them as they
// arrive, four at a time, and works about as long on them as unpacking takes.
func BenchmarkSet(b *testing.B) {
	files, total := bundleShape()
	server := httptest.NewServer(st.Files(files))
	b.Cleanup(server.Close)
	var blobs []source.Blob
	for path, data := range files {
		blob := blobOf(data, server.URL+path)
		blob.Name = path
		blobs = append(blobs, blob)
	}
	const rounds = 8 // of sha256 over every byte
	for name, take := range map[string]func(*source.Fetcher, source.Blob) error{
		"fetch": func(f *source.Fetcher, blob source.Blob) error {
			_, err := f.Fetch(b.Context(), blob)
			return err
		},
		"pipeline": func(f *source.Fetcher, blob source.Blob) error {
			return f.Consume(b.Context(), blob, func(r io.Reader) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{busy(rounds)}, r, nil)
				return err
			})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(total)
			b.ReportAllocs()
			for b.Loop() {
				dir := filepath.Join(b.TempDir(), "cache")
				f := source.New(newStore(b, dir), source.Options{})
				var g errgroup.Group
				g.SetLimit(source.DefaultJobs)
				for _, blob := range blobs {
					g.Go(func() error { return take(f, blob) })
				}
				if err := g.Wait(); err != nil {
					b.Fatal(err)
				}
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// busy hashes what is written that many times.
type busy int

func (n busy) Write(b []byte) (int, error) {
	for range n {
		sha256.Sum256(b)
	}
	return len(b), nil
}
