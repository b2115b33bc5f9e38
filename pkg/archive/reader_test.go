package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
)

// countingReader counts the bytes that are read.
type countingReader struct {
	*bytes.Reader
	n atomic.Int64
}

func (c *countingReader) ReadAt(b []byte, offset int64) (int, error) {
	n, err := c.Reader.ReadAt(b, offset)
	c.n.Add(int64(n))
	return n, err
}

// solid is an archive with solid frames that are decoded as streams, made with
// a fast encoder.
func solid(t testing.TB) (data []byte, content map[string][]byte) {
	t.Helper()
	content = map[string][]byte{}
	var entries []Entry
	for i := range 8 {
		e := member(fmt.Sprint("layer", i), text(uint64(i), 3_000_000+i*977_777), manifest.KindImage)
		if i >= 6 {
			e.Roles = []manifest.Role{manifest.Master}
		}
		content[e.Path] = contentOf(e)
		entries = append(entries, e)
	}
	entries = append(entries, member("small", text(9, 1000), manifest.KindFile))
	content["small"] = contentOf(entries[8])
	o := options(Best)
	o.Packer = NewPacker(Best)
	o.Packer.scheme.speed = zstd.SpeedFastest
	var b bytes.Buffer
	if _, err := Create(t.Context(), &b, o, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), content
}

// count opens an archive whose reads are counted.
func count(t testing.TB, data []byte) (*Reader, *countingReader) {
	t.Helper()
	src := &countingReader{Reader: bytes.NewReader(data)}
	r, err := Open(src, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	src.n.Store(0)
	return r, src
}

// packedSize sums the compressed frames that hold some members.
func packedSize(r *Reader, want func(Member) bool) (n int64) {
	var list []need
	for _, m := range r.Index().Members {
		if want(m) {
			list = r.need(list, m.Offset, m.Offset+m.Size)
		}
	}
	for _, f := range list {
		n += int64(r.table.frames[f.frame].compressed)
	}
	return n
}

func TestEach(t *testing.T) {
	t.Parallel()
	solidData, _ := solid(t)
	for name, data := range map[string][]byte{"fast": create(t, Fast, sample(20)), "best": solidData} {
		for _, role := range []manifest.Role{manifest.Master, manifest.Node} {
			r, src := count(t, data)
			want := func(m Member) bool { return m.NeededBy(role) }
			last := int64(-1)
			members := 0
			err := r.Each(t.Context(), want, func(m Member, c io.Reader) error {
				h := sha256.New()
				n, err := io.Copy(h, c)
				if err != nil || n != m.Size || hex.EncodeToString(h.Sum(nil)) != m.SHA256 || m.Offset < last || !want(m) {
					t.Errorf("%s: %s: %d bytes, %v", name, m.Path, n, err)
				}
				last = m.Offset
				members++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			all := 0
			for _, m := range r.Index().Members {
				if want(m) {
					all++
				}
			}
			if members != all {
				t.Errorf("%s: a %s was given %d members of %d", name, role, members, all)
			}
			// Headers of solid frames are read twice.
			if most := packedSize(r, want) + 100; src.n.Load() > most {
				t.Errorf("%s: %d bytes were read for a %s, its frames have %d of %d", name, src.n.Load(), role, most, len(data))
			}
		}
	}
}

// TestEachSkips leaves members unread, wholly or in part.
func TestEachSkips(t *testing.T) {
	t.Parallel()
	data, want := solid(t)
	r := open(t, data)
	i := 0
	err := r.Each(t.Context(), nil, func(m Member, c io.Reader) error {
		i++
		b := make([]byte, []int64{0, 1, m.Size / 2, m.Size}[i%4])
		if _, err := io.ReadFull(c, b); err != nil || !bytes.Equal(b, want[m.Path][:len(b)]) {
			t.Errorf("%s: %v", m.Path, err)
		}
		return nil
	})
	if err != nil || i != len(want) {
		t.Errorf("%d members, %v", i, err)
	}
	stop := errors.New("stop")
	if err := r.Each(t.Context(), nil, func(Member, io.Reader) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the caller: %v", err)
	}
	if err := r.Each(t.Context(), nil, func(Member, io.Reader) error { return fs.SkipAll }); err != nil {
		t.Errorf("SkipAll: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = r.Each(ctx, nil, func(_ Member, c io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, c)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestInOrder reads the files of a solid frame one after the other: it is
// decoded once.
func TestInOrder(t *testing.T) {
	t.Parallel()
	data, want := solid(t)
	r, src := count(t, data)
	for _, m := range r.Index().Members {
		got, err := r.ReadFile(m.Path)
		if err != nil || !bytes.Equal(got, want[m.Path]) {
			t.Errorf("%s: %v", m.Path, err)
		}
	}
	if n := src.n.Load(); n > int64(len(data))+2000 {
		t.Errorf("%d bytes were read of %d", n, len(data))
	}
}

// TestInterleaved reads more files of a solid frame at once than there are
// decoders for.
func TestInterleaved(t *testing.T) {
	t.Parallel()
	data, want := solid(t)
	r := open(t, data)
	var wg sync.WaitGroup
	for path := range want {
		wg.Go(func() {
			got, err := r.ReadFile(path)
			if err != nil || !bytes.Equal(got, want[path]) {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	wg.Wait()
	var files []fs.File
	for i := range 4 {
		f, err := r.Open(fmt.Sprint("layer", i))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for at := 0; at < 3_000_000; at += 600_000 {
		for i, f := range files {
			b := make([]byte, 600_000)
			if _, err := io.ReadFull(f, b); err != nil || !bytes.Equal(b, want[fmt.Sprint("layer", i)][at:at+len(b)]) {
				t.Fatalf("layer%d at %d: %v", i, at, err)
			}
		}
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	}
	if n := len(r.solid.all); n > maxDecoders {
		t.Errorf("%d decoders", n)
	}
}

// TestSeek compares jumps with those of bytes.Reader.
func TestSeek(t *testing.T) {
	t.Parallel()
	e := member("x", text(1, 20<<20), manifest.KindFile)
	want := contentOf(e)
	f, err := open(t, create(t, Fast, []Entry{e})).Open("x")
	if err != nil {
		t.Fatal(err)
	}
	file, like := f.(io.ReadSeeker), bytes.NewReader(want)
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		if r.IntN(3) > 0 {
			offset, whence := r.Int64N(int64(len(want)))-100, r.IntN(3)
			if whence != io.SeekStart {
				offset -= int64(len(want)) / 2
			}
			n, err := file.Seek(offset, whence)
			m, lerr := like.Seek(offset, whence)
			if (err == nil) != (lerr == nil) || err == nil && n != m {
				t.Fatalf("seek %d, %d: %d, %v; want %d, %v", offset, whence, n, err, m, lerr)
			}
		}
		a, b := make([]byte, r.IntN(200_000)+1), make([]byte, 200_001)[:0]
		n, err := io.ReadFull(file, a)
		b = b[:len(a)]
		m, lerr := io.ReadFull(like, b)
		if n != m || !bytes.Equal(a, b) || !errors.Is(err, lerr) {
			t.Fatalf("read %d: %d, %v; want %d, %v", len(a), n, err, m, lerr)
		}
	}
}

// bomb makes an archive one of whose frames holds more than is said of it.
func bomb(t *testing.T, size int, patch func(frame []byte, f *frame)) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	large := e.EncodeAll(make([]byte, size), nil)
	b, err := newBuilder(options(Default), []Entry{member("x", make([]byte, ownFrames), manifest.KindFile)})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := &frameWriter{w: &out}
	if err := b.packer.run(t.Context(), to, b.produce); err != nil {
		t.Fatal(err)
	}
	content := slices.IndexFunc(to.frames, func(f frame) bool { return f.decompressed == ownFrames })
	at := int(newTable(to.frames).at[content])
	before, after := bytes.Clone(out.Bytes()[:at]), bytes.Clone(out.Bytes()[at+int(to.frames[content].compressed):])
	to.frames[content] = describe(large, ownFrames)
	patch(large, &to.frames[content])
	return slices.Concat(before, large, after, newTable(to.frames).trailer())
}

// TestBomb refuses frames that hold more than the index says, without giving
// them memory.
func TestBomb(t *testing.T) {
	const size = 256 << 20
	for _, test := range []struct {
		name  string
		patch func(b []byte, f *frame)
		want  string
	}{
		{"honest header", func([]byte, *frame) {}, "a frame holds 268435456 bytes, the seek table says 65536"},
		{"lying header", func(b []byte, _ *frame) {
			// Four bytes of content size follow magic, descriptor and window.
			copy(b[6:10], []byte{0, 0, 1, 0})
		}, "cannot be decompressed"},
	} {
		data := bomb(t, size, test.patch)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := open(t, data)
		_, err := r.ReadFile("x")
		verr := r.Verify(t.Context(), nil, nil)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.want) || verr == nil {
			t.Errorf("%s: %v, %v", test.name, err, verr)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("%s: %d bytes of memory for an archive of %d", test.name, grown, len(data))
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	if _, err := decodeIndex([]byte(`{"version":2,"members":"other"}`)); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := decodeIndex([]byte(`{"version":1,"base":"x","members":[]}`)); err == nil || !strings.Contains(err.Error(), "extends another archive") {
		t.Errorf("a delta: %v", err)
	}
}

func TestReaderConcurrent(t *testing.T) {
	t.Parallel()
	entries := sample(1)
	r := open(t, create(t, Default, entries))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := r.Verify(t.Context(), nil, nil); err != nil {
				t.Error(err)
			}
		})
		for _, e := range entries {
			wg.Go(func() {
				got, err := r.ReadFile(e.Path)
				if err != nil || !bytes.Equal(got, contentOf(e)) {
					t.Errorf("%s: %v", e.Path, err)
				}
			})
		}
	}
	wg.Wait()
}

// TestCompressed: what it promises is what a pass reads.
func TestCompressed(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if _, err := Create(t.Context(), &b, options(Default), sample(1)); err != nil {
		t.Fatal(err)
	}
	node := func(m Member) bool { return m.NeededBy(manifest.Node) }
	for name, want := range map[string]func(Member) bool{"all": nil, "node": node, "none": func(Member) bool { return false }} {
		src := &countingReader{Reader: bytes.NewReader(b.Bytes())}
		r, err := Open(src, int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		opened := src.n.Load()
		err = r.Each(t.Context(), want, func(_ Member, c io.Reader) error { _, err := io.Copy(io.Discard, c); return err })
		if err != nil {
			t.Fatal(err)
		}
		if got := src.n.Load() - opened; got != r.Compressed(want) {
			t.Errorf("%s: a pass reads %d bytes, promised are %d", name, got, r.Compressed(want))
		}
	}
}
