package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// rebuilt is data with its frames changed and every table right again.
func rebuilt(t *testing.T, data []byte, change func(i int, b []byte) []byte) []byte {
	t.Helper()
	r := open(t, data)
	var out []byte
	var frames []frame
	for i, f := range r.table.frames {
		b := change(i, bytes.Clone(data[r.table.at[i]:r.table.at[i+1]]))
		entry := describe(b, int(f.decompressed))
		entry.sum = f.sum
		frames = append(frames, entry)
		out = append(out, b...)
	}
	return append(out, newTable(frames).trailer()...)
}

// TestOneFrame: an entry of the seek table is exactly one frame, also where the
// decoder would pass over what else is there, and every checksum is right.
func TestOneFrame(t *testing.T) {
	t.Parallel()
	empty := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x24, 0, 1, 0, 0, 0x99, 0xe9, 0xd8, 0x51} // a frame without content
	last := func(i int) bool { return i == 4 }
	for _, c := range []struct {
		name   string
		change func(i int, b []byte) []byte
	}{
		{"skippable behind", func(i int, b []byte) []byte { return append(b, skippable(3, []byte("hidden"))...) }},
		{"skippable before", func(i int, b []byte) []byte { return append(skippable(3, []byte("hidden")), b...) }},
		{"an empty frame behind", func(i int, b []byte) []byte { return append(b, empty...) }},
		{"bytes behind", func(i int, b []byte) []byte { return append(b, "hidden"...) }},
		{"bytes that end as the frame does", func(i int, b []byte) []byte { return append(append(b, "hidden"...), b[len(b)-4:]...) }},
	} {
		for _, l := range []Level{Default, Best} {
			t.Run(c.name+" "+l.String(), func(t *testing.T) {
				t.Parallel()
				data := create(t, l, sample(1))
				if err := open(t, rebuilt(t, data, func(_ int, b []byte) []byte { return b })).Verify(t.Context(), nil, nil); err != nil {
					t.Fatalf("what was not changed: %v", err)
				}
				forged := rebuilt(t, data, func(i int, b []byte) []byte {
					if last(i) {
						return c.change(i, b)
					}
					return b
				})
				r, err := Open(bytes.NewReader(forged), int64(len(forged)))
				if err == nil {
					err = r.Verify(t.Context(), nil, nil)
				}
				var d *DamageError
				if !errors.As(err, &d) {
					t.Errorf("verified: %v", err)
				}
			})
		}
	}
}

// TestLargeFrameAlone: a frame that is decoded as a stream is one frame, too.
func TestLargeFrameAlone(t *testing.T) {
	t.Parallel()
	big := []Entry{member("images/big", text(1, maxPlain+5_000_000), manifest.KindImage)}
	data := create(t, Best, big)
	forged := rebuilt(t, data, func(_ int, b []byte) []byte {
		if len(b) > 1<<20 {
			b = append(b, skippable(3, []byte("hidden"))...)
		}
		return b
	})
	if len(forged) == len(data) {
		t.Fatal("no frame was changed")
	}
	var d *DamageError
	if err := open(t, forged).Verify(t.Context(), nil, nil); !errors.As(err, &d) || !strings.Contains(err.Error(), "is followed by data") {
		t.Errorf("verified: %v", err)
	}
}

// TestSeekSum: the checksum in the seek table is that of the frame.
func TestSeekSum(t *testing.T) {
	t.Parallel()
	data := create(t, Default, sample(1))
	r := open(t, data)
	frames := slices.Clone(r.table.frames)
	for i := range frames {
		frames[i].crc = describe(data[r.table.at[i]:r.table.at[i+1]], 1).crc
	}
	frames[3].sum++
	forged := append(bytes.Clone(data[:r.table.checks]), newTable(frames).trailer()...)
	if err := open(t, forged).Verify(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "checksum does not match the seek table") {
		t.Errorf("verified: %v", err)
	}
	if binary.LittleEndian.Uint32(forged[len(forged)-4:]) != seekMagic {
		t.Error("the forgery is no archive")
	}
}

// TestIndexSpelling: another reader sees the same index.
func TestIndexSpelling(t *testing.T) {
	t.Parallel()
	const good = `{"version":1,"name":"x","platform":{"family":"el7","arch":"amd64"},"level":"fast","members":[{"path":"a","size":1,"sha256":"x","kind":"file","roles":["master"],"offset":3}]}`
	if err := checkSpelling([]byte(good + "  \n")); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{
		{`"name":"x"`, `"name":"x","note":"hidden"`},
		{`"name":"x"`, `"name":"x","name":"x"`},
		{`"name":"x"`, `"Name":"x"`},
		{`"path":"a"`, `"path":"a","path":"b"`},
		{`"path":"a"`, `"path":"a","x":{"y":1}`},
		{`"family":"el7"`, `"family":"el7","os":"x"`},
		{`"sha256":"x"`, `"SHA256":"x"`},
		{`["master"]`, `[{"a":1}]`},
	} {
		if err := checkSpelling([]byte(strings.Replace(good, c[0], c[1], 1))); err == nil {
			t.Errorf("%s was accepted", c[1])
		}
	}
}

// TestSourceExchanged: what was hashed is what is read, or there is an error.
func TestSourceExchanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.tar.zst")
	if _, err := WriteFile(t.Context(), path, options(Default), sample(2)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Digest(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	// Another archive, as valid as the first, is written into the same file.
	other := sample(2)
	other[3] = member("bin/install-linux-amd64", text(99, 600_000), manifest.KindBinary)
	if err := os.WriteFile(path, create(t, Default, other), 0o600); err != nil {
		t.Fatal(err)
	}
	s.pin(s.sums) // forgets the blocks that it holds
	if err := r.Verify(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "changed between two reads") {
		t.Errorf("what was exchanged: %v", err)
	}
	if _, err := s.Reader(); err == nil {
		t.Error("it was opened again")
	}
}

// TestReadBack: a cache entry that agrees with itself, and holds something else,
// does not become an archive, and goes.
func TestReadBack(t *testing.T) {
	t.Parallel()
	p := NewPacker(Default)
	good := member("rpms/a.rpm", text(1, 200_000), manifest.KindRPM)
	var b bytes.Buffer
	is, err := p.Pack(t.Context(), &b, bytes.NewReader(text(2, 200_000)))
	if err != nil {
		t.Fatal(err)
	}
	frames := bytes.Clone(b.Bytes()[:is.Compressed])
	is.SHA256 = good.SHA256
	poisoned := append(frames, is.footer()...)
	forgotten := false
	good.Packed = func() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(poisoned)}, nil }
	good.Forget = func() error { forgotten = true; return nil }
	dir := t.TempDir()
	_, err = WriteFile(t.Context(), filepath.Join(dir, "x.tar.zst"), options(Default), []Entry{good})
	if err == nil || !strings.Contains(err.Error(), "rpms/a.rpm") || !strings.Contains(hint.Of(err), "run the same command again") || !forgotten {
		t.Errorf("%v, hint %q, forgotten %v", err, hint.Of(err), forgotten)
	}
	if got := listing(t, dir); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
}

// TestDiskLies: what is written is read back before it gets its name.
func TestDiskLies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options(Default)
	// Beside the writer, somebody flips a byte that was written before.
	o.Tap = func() io.Writer { return &liar{t: t, dir: dir} }
	_, err := WriteFile(t.Context(), filepath.Join(dir, "x.tar.zst"), o, sample(1))
	if err == nil || !strings.Contains(err.Error(), "cannot be read back") || !strings.Contains(hint.Of(err), "-o DIR") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	if got := listing(t, dir); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
}

type liar struct {
	t   *testing.T
	dir string
	n   int
}

func (l *liar) Write(b []byte) (int, error) {
	if l.n++; l.n == 3 {
		names, err := filepath.Glob(filepath.Join(l.dir, ".kubecrate-*.part"))
		if err != nil || len(names) != 1 {
			l.t.Errorf("%q, %v", names, err)
			return len(b), nil
		}
		f, err := os.OpenFile(names[0], os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt([]byte{0xff, 0xff}, 300)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			l.t.Error(err)
		}
	}
	return len(b), nil
}

// TestProgramsBeside: they are the member, stand in the sidecar, and an older
// sidecar does not speak of them any more.
func TestProgramsBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options(Default)
	o.Programs = []Program{{"install-linux-amd64", "bin/install-linux-amd64"}, {"install", "bin/install-linux-amd64"}}
	first := filepath.Join(dir, "a.tar.zst")
	w, err := WriteFile(t.Context(), first, o, sample(1))
	if err != nil {
		t.Fatal(err)
	}
	want := contentOf(sample(1)[3])
	for _, name := range []string{"install", "install-linux-amd64"} {
		path := filepath.Join(dir, name)
		got, err := os.ReadFile(path)
		info, serr := os.Stat(path)
		if err != nil || serr != nil || !bytes.Equal(got, want) || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v, %v", name, err, serr, info)
		}
		if err := os.WriteFile(path+".minisig", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	side, err := readSidecar(w.Sidecar)
	if err != nil || len(side.sums) != 3 || side.sums["install"] != w.Programs[1].SHA256 {
		t.Errorf("sidecar %v, %v", side, err)
	}
	other := sample(1)
	other[3] = member("bin/install-linux-amd64", text(77, 100_000), manifest.KindBinary)
	if _, err := WriteFile(t.Context(), filepath.Join(dir, "b.tar.zst"), o, other); err != nil {
		t.Fatal(err)
	}
	if side, err := readSidecar(w.Sidecar); err != nil || len(side.sums) != 1 {
		t.Errorf("the older sidecar %v, %v", side, err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{"a.tar.zst", "a.tar.zst.sha256", "b.tar.zst", "b.tar.zst.sha256", "install", "install-linux-amd64"}) {
		t.Errorf("there are %q", got)
	}
}

// TestReplacedWhileFinished: a name that was taken by somebody else is no success.
func TestReplacedWhileFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.tar.zst")
	o := options(Default)
	var text []byte
	o.Finish = func(w *Written) error {
		text = w.IndexText
		other := filepath.Join(dir, "other")
		return errors.Join(os.WriteFile(other, create(t, Fast, tiny()), 0o600), os.Rename(other, path))
	}
	if _, err := WriteFile(t.Context(), path, o, sample(1)); err == nil || !strings.Contains(err.Error(), "was replaced") || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	if idx, err := decodeIndex(text); err != nil || len(idx.Members) != len(sample(1)) {
		t.Errorf("the index is not what was written: %v", err)
	}
}

// TestEmptyVolume: what is no part of the archive is no volume of it.
func TestEmptyVolume(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.tar.zst")
	o := options(Default)
	o.VolumeSize = 200_000
	w, err := WriteFile(t.Context(), path, o, sample(1))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := checkSidecar(context.Background(), path); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	side, err := os.ReadFile(w.Sidecar)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.Sidecar, append([]byte("# "+strings.Repeat("0", 64)), side[66:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkSidecar(context.Background(), path); err == nil || !strings.Contains(err.Error(), "all volumes together") {
		t.Errorf("a wrong hash of the whole: %v", err)
	}
	if err := os.WriteFile(volumeName(path, len(w.Files)+1), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenPath(path); err == nil || !strings.Contains(err.Error(), "the first one has 200000") {
		t.Errorf("opened: %v", err)
	}
}

// TestFinishFails: the names are there, and what was held open is let go.
func TestFinishFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options(Default)
	o.Programs = []Program{{"install", "bin/install-linux-amd64"}}
	o.Finish = func(*Written) error { return io.ErrClosedPipe }
	if _, err := WriteFile(t.Context(), filepath.Join(dir, "x.tar.zst"), o, sample(1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{"install", "x.tar.zst", "x.tar.zst.sha256"}) {
		t.Errorf("there are %q", got)
	}
}
