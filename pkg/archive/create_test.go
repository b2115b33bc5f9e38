package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
)

func TestFS(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			entries := sample(1)
			r := open(t, create(t, l, entries))
			names := []string{IndexName}
			for _, e := range entries {
				names = append(names, e.Path)
			}
			if err := fstest.TestFS(r, names...); err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				got, err := r.ReadFile(e.Path)
				if err != nil {
					t.Fatal(err)
				}
				want := contentOf(e)
				if !bytes.Equal(got, want) {
					t.Errorf("%s has other content", e.Path)
				}
				f, err := r.Open(e.Path)
				if err != nil {
					t.Fatal(err)
				}
				if err := iotest.TestReader(f, want); err != nil {
					t.Errorf("%s: %v", e.Path, err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := r.Verify(t.Context(), nil, nil); err != nil {
				t.Errorf("a new archive is said to be damaged: %v", err)
			}
		})
	}
}

// TestTarAgrees reads the stream with other readers of zstd and tar.
func TestTarAgrees(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		entries := sample(1)
		data := create(t, l, entries)
		d, err := zstd.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := io.ReadAll(d)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]Entry{}
		for _, e := range entries {
			want[e.Path] = e
		}
		r := open(t, data)
		for _, m := range r.Index().Members {
			if got := stream[m.Offset : m.Offset+m.Size]; !bytes.Equal(got, contentOf(want[m.Path])) {
				t.Errorf("%s: %s does not stand at its offset", l, m.Path)
			}
		}
		var names []string
		tr := tar.NewReader(bytes.NewReader(stream))
		for {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, h.Name)
			wantMode := int64(0o644)
			if strings.HasPrefix(h.Name, "bin/") {
				wantMode = 0o755
			}
			if h.Typeflag != tar.TypeReg || h.Mode != wantMode || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != tarTime || h.Uname != "" {
				t.Errorf("%s: header %+v", l, h)
			}
		}
		if names[0] != IndexName || len(names) != len(entries)+1 {
			t.Errorf("%s: members %q", l, names)
		}
		for i, m := range r.Index().Members {
			if m.Path != names[i+1] {
				t.Errorf("%s: member %d is %s in tar, %s in the index", l, i, names[i+1], m.Path)
			}
		}
		if size := len(stream); size%blockSize != 0 || !bytes.Equal(stream[size-1024:], make([]byte, 1024)) {
			t.Errorf("%s: the tar stream does not end in two blocks of zeros", l)
		}
	}
}

// TestSameBytes holds the promise that one input gives one archive: with packed
// members and without, with one worker and with many, with used encoders.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	for _, l := range []Level{Fast, Default, Better} {
		entries := sample(8)
		want := create(t, l, entries)
		for workers := 1; workers <= 3; workers++ {
			p := newPacker(l, workers)
			o := options(l)
			o.Packer = p
			again := make([]Entry, len(entries))
			for i, e := range entries {
				again[i] = e
				if e.Size >= ownFrames && (i+workers)%2 == 0 {
					again[i] = compressed(t, p, e)
				}
			}
			var got bytes.Buffer
			if _, err := Create(t.Context(), &got, o, again); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s with %d workers gives other bytes", l, workers)
			}
		}
	}
}

// memoryCache is a GroupCache.
type memoryCache struct {
	entries map[string][]byte
	made    int
}

type memoryEntry struct {
	bytes.Buffer
	c   *memoryCache
	key string
}

func (c *memoryCache) Open(key string) (io.ReadSeekCloser, error) {
	b, ok := c.entries[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return readCloser{bytes.NewReader(b)}, nil
}

func (c *memoryCache) Forget() error { clear(c.entries); return nil }

func (c *memoryCache) Create(key string) (CacheEntry, error) {
	c.made++
	return &memoryEntry{c: c, key: key}, nil
}

func (e *memoryEntry) Commit() error { e.c.entries[e.key] = e.Bytes(); return nil }
func (e *memoryEntry) Abort() error  { return nil }

func TestGroups(t *testing.T) {
	t.Parallel()
	entries := sample(1)
	want := create(t, Best, entries)
	cache := &memoryCache{entries: map[string][]byte{}}
	o := options(Best)
	o.Groups = cache
	for range 2 {
		var got bytes.Buffer
		if _, err := Create(t.Context(), &got, o, entries); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Error("a cache of groups gives other bytes")
		}
	}
	if cache.made != 2 {
		t.Errorf("%d groups were made, want 2, once", cache.made)
	}
	for key, b := range cache.entries {
		b[len(b)/2] ^= 1
		cache.entries[key] = b
	}
	var got bytes.Buffer
	if _, err := Create(t.Context(), &got, o, entries); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) || cache.made != 4 {
		t.Errorf("rotten groups were not replaced: %d made", cache.made)
	}
	r := open(t, want)
	var masters []string
	for _, m := range r.Index().Members {
		if m.Size > ownFrames && m.Kind == manifest.KindImage && len(m.Roles) > 0 {
			masters = append(masters, m.Path[len(m.Path)-1:])
		}
	}
	if fmt.Sprint(masters) != "[1 3]" {
		t.Errorf("members of the masters' group: %v", masters)
	}
	both := member("x", nil, manifest.KindImage)
	both.Size = 2 * ownFrames
	b := &builder{o: o}
	if g := b.groupOf(both); g != `image []` {
		t.Errorf("group %s", g)
	}
}

// TestWindow compresses a group beside a larger one and alone: its frames are
// the same, so that they can be kept.
func TestWindow(t *testing.T) {
	t.Parallel()
	a := member("a", text(1, 900_000), manifest.KindImage)
	b := member("b", text(2, 5_000_000), manifest.KindImage)
	a.Roles, b.Roles = []manifest.Role{manifest.Node}, []manifest.Role{manifest.Master}
	frames := func(entries ...Entry) []byte {
		cache := &memoryCache{entries: map[string][]byte{}}
		o := options(Best)
		o.Groups = cache
		if _, err := Create(t.Context(), io.Discard, o, entries); err != nil {
			t.Fatal(err)
		}
		return cache.entries[(&solidJob{b: &builder{o: o, packer: NewPacker(Best)}, entries: []Entry{a}}).key()]
	}
	alone := frames(a)
	if len(alone) == 0 || !bytes.Equal(alone, frames(b, a)) || !bytes.Equal(alone, frames(a, b)) {
		t.Error("a group's frames depend on its neighbors")
	}
}

// TestFrameSizes cuts groups at members, and members only where they must be.
func TestFrameSizes(t *testing.T) {
	t.Parallel()
	const head = blockSize
	for _, test := range []struct {
		sizes []int64
		want  string
	}{
		{[]int64{512}, "[1024]"},
		{[]int64{maxFrame - head}, fmt.Sprint([]int64{maxFrame})},
		{[]int64{maxFrame}, fmt.Sprint([]int64{maxFrame, head})},
		{[]int64{maxFrame - 2*head, 512}, fmt.Sprint([]int64{maxFrame - head, 1024})},
		{[]int64{512, 3 * maxFrame}, fmt.Sprint([]int64{1024, maxFrame, maxFrame, maxFrame, head})},
	} {
		w := &solidJob{}
		for i, n := range test.sizes {
			w.entries = append(w.entries, Entry{Artifact: manifest.Artifact{Path: fmt.Sprint(i), Size: n}})
		}
		if got := fmt.Sprint(w.frameSizes()); got != test.want {
			t.Errorf("members of %d: frames of %s, want %s", test.sizes, got, test.want)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	good := member("a/b", text(1, 100_000), manifest.KindFile)
	wrong := func(change func(*Entry)) []Entry {
		e := good
		change(&e)
		return []Entry{e}
	}
	short := member("a/b", text(1, 99_999), manifest.KindFile)
	other := member("a/b", text(2, 100_000), manifest.KindFile)
	p := NewPacker(Default)
	for _, test := range []struct {
		name    string
		entries []Entry
		want    string
	}{
		{"climbing", wrong(func(e *Entry) { e.Path = "../x" }), `"../x" is not a valid member path`},
		{"absolute", wrong(func(e *Entry) { e.Path = "/x" }), `is not a valid member path`},
		{"backslash", wrong(func(e *Entry) { e.Path = `x\y` }), `is not a valid member path`},
		{"newline", wrong(func(e *Entry) { e.Path = "x\ny" }), `is not a valid member path`},
		{"no hash", wrong(func(e *Entry) { e.SHA256 = "12" }), "has no SHA-256"},
		{"capital hash", wrong(func(e *Entry) { e.SHA256 = strings.ToUpper(e.SHA256) }), "has no SHA-256"},
		{"no kind", wrong(func(e *Entry) { e.Kind = "" }), "has an invalid kind"},
		{"no content", wrong(func(e *Entry) { e.Open = nil }), "cannot be opened"},
		{"twice", []Entry{good, good}, `duplicate path "a/b"`},
		{"the index", wrong(func(e *Entry) { e.Path = IndexName }), `duplicate path "index.json"`},
		{"below a file", append(wrong(func(e *Entry) { e.Path = "a" }), good), `"a" is a file, but "a/b" is below it`},
		{"too short", wrong(func(e *Entry) { e.Open = short.Open }), "it has 99999 bytes, not 100000"},
		{"too long", wrong(func(e *Entry) { e.Size-- }), "it has more than 99999 bytes"},
		{"small and short", wrong(func(e *Entry) { e.Size = 10; e.Open = member("", nil, "").Open }), "it has 0 bytes, not 10"},
		{"other content", wrong(func(e *Entry) { e.Open = other.Open }), "its content has SHA-256"},
		{"other frames", wrong(func(e *Entry) { e.Packed = compressed(t, p, other).Packed; e.Open = nil }), "cached frames have changed"},
		{"unreadable", wrong(func(e *Entry) { e.Open = func() (io.ReadCloser, error) { return nil, fs.ErrPermission } }), "permission denied"},
	} {
		for _, l := range levels() {
			if l == Best && test.name == "other frames" {
				continue
			}
			_, err := Create(t.Context(), io.Discard, options(l), test.entries)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s at %s: error %v, want %s", test.name, l, err, test.want)
			}
		}
	}
}

// TestRottenCache replaces packed files that have changed.
func TestRottenCache(t *testing.T) {
	t.Parallel()
	e := member("a", text(1, 200_000), manifest.KindFile)
	want := create(t, Default, []Entry{e})
	var b bytes.Buffer
	if _, err := NewPacker(Default).Pack(t.Context(), &b, bytes.NewReader(contentOf(e))); err != nil {
		t.Fatal(err)
	}
	o := options(Default)
	o.Packer = NewPacker(Default)
	for at := 0; at < b.Len(); at += 997 {
		rotten := bytes.Clone(b.Bytes())
		rotten[at] ^= 4
		e.Packed = func() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(rotten)}, nil }
		var got bytes.Buffer
		if _, err := Create(t.Context(), &got, o, []Entry{e}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("byte %d changed in the cache, and the archive is another", at)
		}
	}
}

func TestPackedIsZstd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 511, 512, 70_000, 20 << 20} {
		data := text(uint64(n), n)
		for _, l := range levels() {
			var b bytes.Buffer
			p, err := NewPacker(l).Pack(t.Context(), &b, iotest.HalfReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			q, err := ReadPacked(bytes.NewReader(b.Bytes()))
			if err != nil || q.Size != int64(n) || q.SHA256 != p.SHA256 || q.Compressed != p.Compressed {
				t.Errorf("%d bytes at %s: %+v, %v", n, l, q, err)
			}
			d, err := zstd.NewReader(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.DecodeAll(b.Bytes(), nil)
			if err != nil || !bytes.Equal(got[:n], data) || int64(len(got)) != roundUp(int64(n)) {
				t.Errorf("%d bytes at %s: %d come out, %v", n, l, len(got), err)
			}
		}
	}
}

// TestCancel ends soon, whatever is under way.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		ctx, cancel := context.WithCancelCause(t.Context())
		entries := sample(20)
		stop := errors.New("stop")
		entries[8].Open = func() (io.ReadCloser, error) { cancel(stop); return io.NopCloser(zeros{}), nil }
		if _, err := Create(ctx, io.Discard, options(l), entries); !errors.Is(err, stop) {
			t.Errorf("%s: %v", l, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestFailingWriter(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		full := create(t, l, sample(1))
		o := options(l)
		o.Packer = NewPacker(l)
		for n := 0; n < len(full); n += len(full)/10 + 1 {
			_, err := Create(t.Context(), &limited{left: n}, o, sample(1))
			if !errors.Is(err, io.ErrShortWrite) {
				t.Fatalf("%s with %d of %d bytes: %v", l, n, len(full), err)
			}
		}
	}
}

type limited struct{ left int }

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return l.left, io.ErrShortWrite
	}
	l.left -= len(b)
	return len(b), nil
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		got, err := ParseLevel(strings.ToUpper(l.String()))
		if err != nil || got != l {
			t.Errorf("%s: %s, %v", l, got, err)
		}
	}
	if _, err := ParseLevel("19"); err == nil {
		t.Error("19 is taken for a level")
	}
	if got, want := fmt.Sprintln(Default.Solid(), Best.Solid(), Default.Encoding()), "false true default-"+encoderVersion+"-f8\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
