package archive

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"kubecrate/manifest"
)

// TestProof swaps a frame for one of the same size after the member was hashed:
// what jumps within the member is compared all the same. XXH64 would not hold
// anybody up, so the table in memory has that of the new frame.
func TestProof(t *testing.T) {
	t.Parallel()
	const size, name = 3<<20 + 5, "x"
	random := func(seed byte) []byte {
		b := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // it never fails
		return b
	}
	data := create(t, Fast, []Entry{member(name, random(1), manifest.KindFile)})
	other := create(t, Fast, []Entry{member(name, random(2), manifest.KindFile)})
	r, o := open(t, data), open(t, other)
	readAt := func(at int64) ([]byte, error) {
		f, err := r.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 100)
		n, err := f.(io.ReaderAt).ReadAt(b, at)
		return b[:n], err
	}
	ends := []int64{0, 1<<20 - 50, 2 << 20, size - 100, size - 10}
	for _, at := range ends {
		got, err := readAt(at)
		if want := random(1)[at:min(at+100, size)]; !bytes.Equal(got, want) || (err != nil) != (len(want) < 100) {
			t.Fatalf("at %d: %d bytes, %v", at, len(got), err)
		}
	}
	i, k := r.table.find(r.index.Members[0].Offset), o.table.find(o.index.Members[0].Offset)
	if r.table.frames[i].compressed != o.table.frames[k].compressed || r.table.frames[i].decompressed != o.table.frames[k].decompressed {
		t.Fatalf("frames %+v and %+v are not of one size", r.table.frames[i], o.table.frames[k])
	}
	copy(data[r.table.at[i]:r.table.at[i+1]], other[o.table.at[k]:o.table.at[k+1]])
	r.table.frames[i].sum = o.table.frames[k].sum
	for _, at := range ends {
		var d *DamageError
		if got, err := readAt(at); len(got) > 0 || !errors.As(err, &d) || d.Path != name {
			t.Errorf("at %d: %d bytes of another frame, %v", at, len(got), err)
		}
	}
}
