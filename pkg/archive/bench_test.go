package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"kubecrate/manifest"
)

// programs is about size bytes of the Go toolchain's own programs, which is
// what images hold for the most part, or made-up text where there are none.
func programs(tb testing.TB, size int) []byte {
	tb.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(filepath.Join(os.Getenv("GOROOT"), "pkg", "tool"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || b.Len() > size {
			return err
		}
		data, err := os.ReadFile(path)
		b.Write(data)
		return err
	})
	if err != nil {
		tb.Logf("no programs: %v", err)
	}
	for b.Len() < size {
		b.Write(text(uint64(b.Len()), min(8<<20, size-b.Len())))
	}
	return b.Bytes()[:size]
}

func BenchmarkPack(b *testing.B) {
	data := programs(b, 64<<20)
	for _, l := range levels() {
		b.Run(l.String(), func(b *testing.B) {
			p := NewPacker(l)
			b.SetBytes(int64(len(data)))
			var done Packed
			for b.Loop() {
				var err error
				if done, err = p.Pack(b.Context(), io.Discard, bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data))/float64(done.Compressed), "ratio")
		})
	}
}

// BenchmarkCreate copies frames that are packed already: a warm build.
func BenchmarkCreate(b *testing.B) {
	p := NewPacker(Fast)
	e := compressed(b, p, member("x", programs(b, 64<<20), manifest.KindImage))
	o := options(Fast)
	o.Packer = p
	b.SetBytes(e.Size)
	for b.Loop() {
		h := newHashWriter(io.Discard)
		if _, err := Create(b.Context(), h, o, []Entry{e}); err != nil {
			b.Fatal(err)
		}
		h.close()
	}
}

func BenchmarkRead(b *testing.B) {
	data := programs(b, 64<<20)
	for _, l := range []Level{Default, Better, Best} {
		o := options(l)
		o.Packer = NewPacker(l)
		var compressed bytes.Buffer
		entries := []Entry{member("large", data, manifest.KindImage)}
		for i := range 500 {
			entries = append(entries, member(fmt.Sprintf("rpms/%d", i), data[i*100_000:(i+1)*100_000], manifest.KindRPM))
		}
		if _, err := Create(b.Context(), &compressed, o, entries); err != nil {
			b.Fatal(err)
		}
		src, size := bytes.NewReader(compressed.Bytes()), int64(compressed.Len())
		r := open(b, compressed.Bytes())
		b.Run(l.String()+"/open", func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(src, size); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(l.String()+"/100KB", func(b *testing.B) {
			for b.Loop() {
				if _, err := r.ReadFile(fmt.Sprintf("rpms/%d", rand.IntN(500))); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(l.String()+"/file", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				f, err := r.Open("large")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, f); err != nil {
					b.Fatal(err)
				}
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(l.String()+"/each", func(b *testing.B) {
			b.SetBytes(r.table.total())
			for b.Loop() {
				err := r.Each(b.Context(), nil, func(_ Member, c io.Reader) error {
					_, err := io.Copy(io.Discard, c)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(l.String()+"/verify", func(b *testing.B) {
			b.SetBytes(r.table.total())
			for b.Loop() {
				if err := r.Verify(b.Context(), nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// memoryLevel, when it is set, makes a test process a build whose memory
// another one looks at.
const memoryLevel = "KUBECRATE_TEST_MEMORY"

// repeated is size bytes of programs, without holding more than a few.
type repeated struct {
	data []byte
	at   int
	left int64
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), r.left)], r.data[r.at:])
	r.left -= int64(n)
	if r.at += n; r.at == len(r.data) {
		// The next round is other content.
		r.at = 0
		for i := 0; i < len(r.data); i += 64 {
			r.data[i]++
		}
	}
	return n, nil
}

// TestMemoryHelper is the build of TestMemory: four layers are packed at once,
// then all is put together, verified and read.
func TestMemoryHelper(t *testing.T) {
	spec := os.Getenv(memoryLevel)
	if spec == "" {
		t.Skip("helps TestMemory")
	}
	name, megabytes, _ := strings.Cut(spec, " ")
	l, err := ParseLevel(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := strconv.ParseInt(megabytes, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	path := buildLarge(t, l, size<<20)
	build := highWater(t)
	r, c, err := OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("peak %d %d\n", build, highWater(t))
}

// buildLarge writes an archive of four layers of size bytes in all.
func buildLarge(t *testing.T, l Level, size int64) string {
	t.Helper()
	dir := t.TempDir()
	const layers = 4
	o := options(l)
	o.Packer = NewPacker(l)
	entries := make([]Entry, layers)
	errs := make(chan error, layers)
	for i := range layers {
		source := func() io.Reader {
			return &repeated{data: text(uint64(i), 2<<20), left: size / layers}
		}
		go func() {
			var err error
			entries[i], err = largeEntry(t.Context(), o.Packer, filepath.Join(dir, fmt.Sprint(i)), source)
			entries[i].Size = size / layers
			errs <- err
		}()
	}
	for range layers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "x.tar.zst")
	if _, err := WriteFile(t.Context(), path, o, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

func largeEntry(ctx context.Context, p *Packer, path string, source func() io.Reader) (Entry, error) {
	e := Entry{Artifact: manifest.Artifact{Path: "images/" + filepath.Base(path), Kind: manifest.KindImage}}
	if p.level.Solid() {
		h := sha256.New()
		if _, err := io.Copy(h, source()); err != nil {
			return e, err
		}
		e.SHA256 = hex.EncodeToString(h.Sum(nil))
		e.Open = func() (io.ReadCloser, error) { return io.NopCloser(source()), nil }
		return e, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return e, err
	}
	done, err := p.Pack(ctx, f, source())
	e.SHA256 = done.SHA256
	e.Packed = func() (io.ReadSeekCloser, error) { return os.Open(path) }
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return e, err
}

// highWater is the peak resident set of this process in bytes: VmHWM of
// proc(5).
func highWater(tb testing.TB) int64 {
	tb.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		tb.Skip(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kb int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	tb.Skip("/proc/self/status has no VmHWM")
	return 0
}

// peak runs a build in a process of its own and returns what it took at most
// for the build, and with reading, in bytes.
func peak(tb testing.TB, l Level, megabytes int) (build, all int64) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], "-test.run=^TestMemoryHelper$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", memoryLevel, l, megabytes))
	out, err := cmd.CombinedOutput()
	at := bytes.Index(out, []byte("peak "))
	if err != nil || at < 0 {
		tb.Fatalf("%v: %s", err, out)
	}
	if _, err := fmt.Sscanf(string(out[at:]), "peak %d %d", &build, &all); err != nil {
		tb.Fatal(err)
	}
	return build, all
}

// TestMemory holds a build to the memory that it may take, whatever the size.
func TestMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("needs a while, and memory as it is in use")
	}
	for _, test := range []struct {
		l         Level
		megabytes int
		most      int64
	}{{Fast, 256, 130}, {Default, 256, 130}, {Better, 128, 150}} {
		build, all := peak(t, test.l, test.megabytes)
		t.Logf("%s: %d MB for %d MB of layers, %d MB with verifying", test.l, build>>20, test.megabytes, all>>20)
		if build > test.most<<20 {
			t.Errorf("%s: a build of %d MB took %d MB", test.l, test.megabytes, build>>20)
		}
	}
}

// BenchmarkMemory reports the peak of builds of 2 GB, at best of 512 MB.
func BenchmarkMemory(b *testing.B) {
	for _, l := range levels() {
		megabytes := 2048
		if l.Solid() {
			megabytes = 512
		}
		b.Run(l.String(), func(b *testing.B) {
			var build, all int64
			for b.Loop() {
				build, all = peak(b, l, megabytes)
			}
			b.ReportMetric(float64(build>>20), "MB-build")
			b.ReportMetric(float64(all>>20), "MB-verify")
			b.ReportMetric(0, "ns/op")
		})
	}
}
