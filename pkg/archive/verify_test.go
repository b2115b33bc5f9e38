package archive

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// tiny is an archive of a few hundred bytes with frames of every sort.
func tiny() []Entry {
	large := func(s string) []byte { return bytes.Repeat([]byte(s), ownFrames/len(s)+1) }
	return []Entry{
		member("a", []byte("first\n"), manifest.KindMeta),
		member("big/one", large("one of these "), manifest.KindImage),
		member("b", []byte("second\n"), manifest.KindFile),
		member("big/two", large("and another "), manifest.KindImage),
		member("c", []byte("third\n"), manifest.KindFile),
	}
}

// touched lists what lies in frame i, headers and padding included: "" is the
// end of the tar stream.
func touched(r *Reader, i int) []string {
	from, to := r.table.decompressedAt[i], r.table.decompressedAt[i+1]
	set := map[string]bool{}
	at := blockSize + int64(len(r.text))
	if from < at {
		set[IndexName] = true
	}
	for _, m := range r.index.Members {
		if at < to && m.end() > from {
			set[m.Path] = true
		}
		at = m.end()
	}
	if at < to {
		set[""] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// frameAt is the number of the frame that holds a byte of the file, or the
// number of frames for what follows them.
func frameAt(r *Reader, at int64) int {
	return slices.IndexFunc(append(r.table.at[1:], r.Size()+1), func(end int64) bool { return at < end })
}

// verify opens and verifies an archive. names are those in the error, sorted.
func verify(t *testing.T, data []byte) (names []string, err error) {
	t.Helper()
	r, err := Open(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		err = r.Verify(t.Context(), nil, nil)
	}
	if err == nil {
		return nil, nil
	}
	list := Damages(err)
	if len(list) == 0 {
		t.Fatalf("%v is no damage", err)
	}
	for _, d := range list {
		names = append(names, d.Path)
	}
	slices.Sort(names)
	return names, err
}

// TestEveryBit flips every bit of an archive: Verify finds each, and names the
// members that lie in the frame.
func TestEveryBit(t *testing.T) {
	t.Parallel()
	for _, l := range []Level{Default, Best} {
		data := create(t, l, tiny())
		whole := open(t, data)
		for bit := range 8 * len(data) {
			at := bit / 8
			data[at] ^= 1 << (bit % 8)
			got, err := verify(t, data)
			data[at] ^= 1 << (bit % 8)
			if err == nil {
				t.Fatalf("%s: bit %d of byte %d flipped, nobody noticed", l, bit%8, at)
			}
			if hint.Of(err) == "" {
				t.Fatalf("%s: no hint with %v", l, err)
			}
			switch frame := frameAt(whole, int64(at)); frame {
			case 0, len(whole.table.frames):
				// What holds the members together: no member is blamed.
				if len(got) != 1 || got[0] != "" && got[0] != IndexName {
					t.Fatalf("%s: byte %d lies in no member, named are %q: %v", l, at, got, err)
				}
			default:
				if want := touched(whole, frame); !slices.Equal(got, want) {
					t.Fatalf("%s: byte %d lies in frame %d, where %q are; named are %q: %v", l, at, frame, want, got, err)
				}
			}
		}
	}
}

// TestEveryLength cuts an archive off everywhere.
func TestEveryLength(t *testing.T) {
	t.Parallel()
	data := create(t, Default, tiny())
	for n := range data {
		_, err := Open(bytes.NewReader(data[:n]), int64(n))
		var d *DamageError
		if !errors.As(err, &d) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
		// The size may be known while bytes are missing, as on a bad stick.
		r, err := Open(bytes.NewReader(data[:n]), int64(len(data)))
		if err == nil {
			err = r.Verify(t.Context(), nil, nil)
		}
		if !errors.As(err, &d) {
			t.Fatalf("%d of %d bytes readable: %v", n, len(data), err)
		}
	}
	if _, err := Open(bytes.NewReader(append(data, 0)), int64(len(data)+1)); err == nil {
		t.Error("a byte behind the archive went unnoticed")
	}
}

// TestRecover reads what there is of an archive that was cut off, or whose seek
// table is damaged.
func TestRecover(t *testing.T) {
	t.Parallel()
	for _, l := range []Level{Default, Best} {
		entries := tiny()
		data := create(t, l, entries)
		whole := open(t, data)
		frames := whole.table
		for n := range data {
			r, err := Recover(bytes.NewReader(data[:n]), int64(n))
			if int64(n) < frames.at[1] {
				if err == nil {
					t.Fatalf("%d bytes are no whole index, and were opened", n)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: %d bytes: %v", l, n, err)
			}
			var want []string
			for _, m := range whole.index.Members {
				if end := frames.find(m.end() - 1); frames.at[end+1] <= int64(n) {
					want = append(want, m.Path)
					if _, err := r.ReadFile(m.Path); err != nil {
						t.Fatalf("%s: %d bytes: %v", l, n, err)
					}
				} else if _, err := r.ReadFile(m.Path); err == nil {
					t.Fatalf("%s: %d bytes do not hold %s, which was read", l, n, m.Path)
				}
			}
			damaged := map[string]bool{}
			for _, d := range Damages(r.Verify(t.Context(), nil, nil)) {
				damaged[d.Path] = true
			}
			for _, m := range whole.index.Members {
				if damaged[m.Path] == slices.Contains(want, m.Path) {
					t.Fatalf("%s: %d bytes: whole are %q, damaged %v", l, n, want, damaged)
				}
			}
			if !damaged[""] {
				t.Fatalf("%s: %d bytes: the archive itself is not said to be damaged", l, n)
			}
		}
		data[len(data)-1] ^= 1
		r, err := Recover(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if got := Damages(r.Verify(t.Context(), nil, nil)); len(got) != 1 || got[0].Path != "" || !strings.Contains(got[0].Reason, "no seek table") {
			t.Errorf("%s: a damaged seek table gives %v", l, got)
		}
	}
}

// TestVerifyFilter reads only what was asked for.
func TestVerifyFilter(t *testing.T) {
	t.Parallel()
	data := create(t, Default, tiny())
	r := open(t, data)
	m := r.index.Members[r.members["big/two"]]
	data[r.table.at[r.table.find(m.Offset)]+20] ^= 1
	if err := r.Verify(t.Context(), func(m Member) bool { return m.Path != "big/two" }, nil); err != nil {
		t.Errorf("what was not asked for is damaged: %v", err)
	}
	err := r.Verify(t.Context(), func(m Member) bool { return m.Kind == manifest.KindImage }, nil)
	if list := Damages(err); len(list) != 1 || list[0].Path != "big/two" {
		t.Errorf("big/two is damaged, found was %v", err)
	}
}

// TestDamagedRead changes contents with every checksum of zstd and of this
// format made right again: the hash in the index must find it, whichever way
// the member is read, and no other member is concerned.
func TestDamagedRead(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		data := forge(t, l)
		r := open(t, data)
		for _, m := range r.Index().Members {
			forged := strings.HasPrefix(m.Path, "forged")
			check := func(how string, err error) {
				t.Helper()
				var d *DamageError
				if forged != (err != nil) || forged && (!errors.As(err, &d) || d.Path != m.Path) {
					t.Errorf("%s: %s by %s: %v", l, m.Path, how, err)
				}
			}
			_, err := r.ReadFile(m.Path)
			check("ReadFile", err)
			f, err := r.Open(m.Path)
			if err != nil {
				t.Fatal(err)
			}
			n, err := f.(io.ReaderAt).ReadAt(make([]byte, 5), 7)
			check("ReadAt", err)
			if forged && n > 0 {
				t.Errorf("%s: ReadAt returned %d bytes of %s", l, n, m.Path)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			check("Verify", r.Verify(t.Context(), func(o Member) bool { return o.Path == m.Path }, nil))
			check("Each", r.Each(t.Context(), func(o Member) bool { return o.Path == m.Path }, func(_ Member, src io.Reader) error {
				_, err := io.Copy(io.Discard, src)
				return err
			}))
			check("Each in small reads", r.Each(t.Context(), func(o Member) bool { return o.Path == m.Path }, func(_ Member, src io.Reader) error {
				_, err := io.Copy(io.Discard, struct{ io.Reader }{src})
				return err
			}))
		}
	}
}

// forge makes an archive whose index lies about the members named forged.
func forge(t *testing.T, l Level) []byte {
	t.Helper()
	content := map[string][]byte{"forged-small": text(1, 1000), "forged-large": text(2, 3<<20), "right-small": text(3, 1000), "right-large": text(4, 3<<20)}
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(content)) {
		entries = append(entries, member(name, content[name], manifest.KindImage))
	}
	b, err := newBuilder(options(l), entries)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.index.Members {
		if m := &b.index.Members[i]; strings.HasPrefix(m.Path, "forged") {
			m.SHA256 = strings.Repeat("0", 64)
		}
	}
	if b.text, err = encodeIndex(b.index); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	to := &frameWriter{w: &out}
	if err := b.packer.run(t.Context(), to, b.produce); err != nil {
		t.Fatal(err)
	}
	out.Write(newTable(to.frames).trailer())
	return out.Bytes()
}
