package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"kubecrate/manifest"
)

// fuzzMemory is the most, in bytes, that a small input may make a parser take.
const fuzzMemory = 64 << 20

// bounded calls f and fails the test if it takes too much memory.
func bounded(t *testing.T, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > fuzzMemory {
		t.Errorf("%d bytes of memory were taken", n)
	}
}

// FuzzOpen opens, recovers, verifies and reads whatever it is given.
func FuzzOpen(f *testing.F) {
	for _, l := range []Level{Fast, Best} {
		data := create(f, l, tiny())
		f.Add(data)
		f.Add(data[:len(data)/2])
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
		f.Add(data)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		for _, open := range []func(io.ReaderAt, int64) (*Reader, error){Open, Recover} {
			var r *Reader
			var err error
			bounded(t, func() { r, err = open(bytes.NewReader(data), int64(len(data))) })
			if err != nil {
				var d *DamageError
				if !errors.As(err, &d) && !errors.Is(err, ErrVersion) {
					t.Errorf("error %v is no damage", err)
				}
				continue
			}
			read(t, r)
		}
	})
}

// read reads what an opened archive says it holds, up to a size.
func read(t *testing.T, r *Reader) {
	t.Helper()
	if r.table.total() > 8<<20 {
		return
	}
	damaged := map[string]bool{}
	for _, d := range Damages(r.Verify(t.Context(), nil, nil)) {
		damaged[d.Path] = true
	}
	err := fs.WalkDir(r, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, err := r.ReadFile(path); err != nil && !damaged[path] && !damaged[""] {
			return fmt.Errorf("%s cannot be read, yet Verify found it whole: %w", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_ = r.Each(t.Context(), nil, func(_ Member, c io.Reader) error {
		_, _ = io.Copy(io.Discard, c) // damage is what is expected here
		return nil
	})
}

// FuzzIndex decodes the text of an index; what is accepted survives a round trip.
func FuzzIndex(f *testing.F) {
	for _, entries := range [][]Entry{nil, tiny(), sample(1)} {
		b, err := newBuilder(options(Default), entries)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.text)
	}
	f.Add([]byte(`{"version":1,"members":[{"path":"../x","offset":512}]}`))
	f.Add([]byte(`{"version":1,"members":[` + strings.Repeat("{},", 5000) + `{}]}`))
	f.Add([]byte(`{"version":1,"members":[{"roles":[` + strings.Repeat(`"",`, 100_000) + `""]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<20 {
			return
		}
		var idx *Index
		var err error
		bounded(t, func() { idx, err = decodeIndex(text) })
		if err != nil {
			return
		}
		at := int64(0)
		for _, m := range idx.Members {
			if !fs.ValidPath(m.Path) || m.Size < 0 || m.Offset < at+blockSize {
				t.Errorf("accepted: %+v", m)
			}
			at = m.end()
		}
		again, err := encodeIndex(idx)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeIndex(again)
		if err != nil || fmt.Sprint(idx) != fmt.Sprint(back) {
			t.Errorf("%+v became %+v: %v", idx, back, err)
		}
	})
}

// FuzzSeekTable reads a seek table; what is accepted fills the file.
func FuzzSeekTable(f *testing.F) {
	small := newTable([]frame{{compressed: 100, decompressed: 1000}, {compressed: 50, decompressed: 512}})
	f.Add(append(make([]byte, small.checks), small.trailer()...))
	f.Add(create(f, Fast, tiny()))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tab *table
		var err error
		bounded(t, func() { tab, err = readTable(bytes.NewReader(data), int64(len(data))) })
		if err != nil {
			return
		}
		if tab.size != int64(len(data)) || tab.checks > tab.seek || tab.seek > tab.size || tab.total() > int64(len(tab.frames))*maxFrame {
			t.Errorf("accepted: %+v", tab)
		}
		for i := range tab.frames {
			if tab.find(tab.decompressedAt[i]) != i || tab.at[i] >= tab.at[i+1] {
				t.Errorf("frame %d of %+v", i, tab)
			}
		}
		if _, err := tab.readChecks(bytes.NewReader(data)); err == nil && !bytes.Equal(tab.seekTable(), data[tab.seek:]) {
			t.Error("a seek table was accepted that would be written in another way")
		}
	})
}

// FuzzPackedFile hands rotten caches to Create: it never fails, and never
// writes anything else than the content.
func FuzzPackedFile(f *testing.F) {
	e := member("x", bytes.Repeat([]byte("kubecrate "), ownFrames/8), manifest.KindFile)
	var b bytes.Buffer
	if _, err := NewPacker(Fast).Pack(f.Context(), &b, bytes.NewReader(contentOf(e))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	want := create(f, Fast, []Entry{e})
	o := options(Fast)
	o.Packer = NewPacker(Fast)
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, func() { _, _ = ReadPacked(bytes.NewReader(data)) })
		e := e
		e.Packed = func() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(data)}, nil }
		var got bytes.Buffer
		if _, err := Create(t.Context(), &got, o, []Entry{e}); err != nil {
			t.Fatal(err)
		}
		// Frames can be made that pass every check of a cache, which is no
		// place for an attacker; the archive's own hashes find them.
		if !bytes.Equal(got.Bytes(), want) {
			r := open(t, got.Bytes())
			_, rerr := r.ReadFile("x")
			if verr := r.Verify(t.Context(), nil, nil); (rerr == nil) != (verr == nil) {
				t.Errorf("read: %v, verify: %v", rerr, verr)
			}
		}
	})
}

// FuzzSidecar reads what stands in a .sha256.
func FuzzSidecar(f *testing.F) {
	f.Add("# comment\n" + strings.Repeat("a", 64) + "  x.tar.zst\n")
	f.Fuzz(func(t *testing.T, text string) {
		side, err := parseSidecar(strings.NewReader(text))
		if err != nil {
			return
		}
		for name, sum := range side.sums {
			if strings.ContainsRune(name, '/') || len(sum) != 64 {
				t.Errorf("accepted: %q %q", sum, name)
			}
		}
	})
}

// FuzzHeader writes tar headers that only tar readers can judge, see
// TestTarAgrees; here, that their length is what is said in advance.
func FuzzHeader(f *testing.F) {
	f.Add("a/b", int64(5))
	f.Add(strings.Repeat("long/", 40)+"x", int64(1<<33))
	f.Add("näme", int64(0))
	f.Fuzz(func(t *testing.T, path string, size int64) {
		a := manifest.Artifact{Path: path, Size: size, SHA256: strings.Repeat("0", 64), Kind: manifest.KindFile}
		if checkArtifact(a) != nil {
			return
		}
		h := header(a)
		if int64(len(h)) != headerSize(a) || len(h)%blockSize != 0 {
			t.Errorf("%d bytes, said were %d", len(h), headerSize(a))
		}
		checkHeaderWithTar(t, h, a)
	})
}
