package repodata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"kubecrate/pkg/hint"
)

// samples are contents that exercise the decoders: empty, short, long and
// repetitive, long and random.
func samples() map[string][]byte {
	random := make([]byte, 300<<10)
	gen := rand.NewChaCha8([32]byte{1})
	if _, err := gen.Read(random); err != nil {
		panic(err)
	}
	return map[string][]byte{
		"empty": {}, "short": []byte("<a/>"), "long": bytes.Repeat([]byte("<package>some text</package>\n"), 40000), "random": random,
	}
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func xzed(t testing.TB, b []byte, o xz.WriterConfig) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := o.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func decompressAll(packed []byte, limit int64) ([]byte, error) {
	r, err := DecompressLimit("x", iotest.HalfReader(bytes.NewReader(packed)), limit)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	for name, want := range samples() {
		packed := map[string][]byte{
			"plain": want, "gzip": gzipped(t, want), "gzip twice": append(gzipped(t, want), gzipped(t, nil)...),
			"xz": xzed(t, want, xz.WriterConfig{}), "zstd": zstded(t, want),
			"xz crc32":  xzed(t, want, xz.WriterConfig{CheckSum: xz.CRC32}),
			"xz sha256": xzed(t, want, xz.WriterConfig{CheckSum: xz.SHA256}),
			"xz none":   xzed(t, want, xz.WriterConfig{NoCheckSum: true}),
			"xz blocks": xzed(t, want, xz.WriterConfig{BlockSize: 64 << 10}),
			"xz padded": append(xzed(t, want, xz.WriterConfig{}), 0, 0, 0, 0),
			"xz twice":  append(append(xzed(t, want, xz.WriterConfig{}), 0, 0, 0, 0), xzed(t, nil, xz.WriterConfig{})...),
		}
		for kind, b := range packed {
			got, err := decompressAll(b, int64(len(want)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %d bytes, want %d, error %v", kind, name, len(got), len(want), err)
			}
			if len(want) > 0 {
				if _, err = decompressAll(b, int64(len(want)-1)); err == nil || !strings.Contains(err.Error(), "more than") {
					t.Errorf("%s %s: one byte over the limit: error %v", kind, name, err)
				}
			}
		}
	}
}

// TestDecompressTools reads what the stock programs write.
func TestDecompressTools(t *testing.T) {
	for _, argv := range [][]string{
		{"gzip", "-9"}, {"bzip2"}, {"xz"}, {"xz", "-6e", "--check=sha256"}, {"xz", "-T2", "--block-size=100000", "--check=crc32"},
		{"xz", "-0", "--check=none"}, {"xz", "-9"}, {"zstd", "-19"}, {"zstd", "--long=25", "--no-check"},
	} {
		path := tool(t, argv[0])
		for name, want := range samples() {
			cmd := exec.CommandContext(t.Context(), path, append(argv[1:], "-c")...)
			cmd.Stdin = bytes.NewReader(want)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := decompressAll(packed, int64(len(want)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v %s: %d bytes, want %d, error %v", argv, name, len(got), len(want), err)
			}
		}
	}
}

// TestDecompressDamage cuts and flips every byte of small streams: the content
// may never come out wrong without an error.
func TestDecompressDamage(t *testing.T) {
	t.Parallel()
	want := []byte(onePackage)
	for kind, packed := range map[string][]byte{
		"gzip": gzipped(t, want), "zstd": zstded(t, want),
		"xz": xzed(t, want, xz.WriterConfig{BlockSize: 1000}),
	} {
		for i := range packed {
			if got, err := decompressAll(packed[:i], 1<<14); err == nil && i >= 6 {
				t.Errorf("%s cut at %d: %d bytes and no error", kind, i, len(got))
			}
			flipped := bytes.Clone(packed)
			flipped[i] ^= 0x10
			if got, err := decompressAll(flipped, 1<<14); err == nil && i >= 6 && !bytes.Equal(got, want) {
				t.Errorf("%s flipped at %d: wrong bytes and no error", kind, i)
			}
		}
	}
}

// TestXZCheck flips every byte of the check that stands behind the data of a
// block, of each kind.
func TestXZCheck(t *testing.T) {
	t.Parallel()
	want := []byte("<package>some text</package>")
	for _, kind := range []struct{ id, size byte }{{xz.CRC32, 4}, {xz.CRC64, 8}, {xz.SHA256, 32}} {
		packed := xzed(t, want, xz.WriterConfig{CheckSum: kind.id})
		footer := packed[len(packed)-12:]
		index := (int(binary.LittleEndian.Uint32(footer[4:8])) + 1) * 4
		end := len(packed) - len(footer) - index
		for at := end - int(kind.size); at < end; at++ {
			bad := bytes.Clone(packed)
			bad[at] ^= 1
			if got, err := decompressAll(bad, maxOpen); err == nil || !strings.Contains(err.Error(), "the xz stream is damaged") {
				t.Errorf("check %d, byte %d: %q, %v", kind.id, at, got, err)
			}
		}
		if got, err := decompressAll(packed, maxOpen); err != nil || !bytes.Equal(got, want) {
			t.Errorf("check %d: %q, %v", kind.id, got, err)
		}
	}
}

// TestDecompressWindow: a stream that refers back further than is kept says so,
// and what to do.
func TestDecompressWindow(t *testing.T) {
	t.Parallel()
	random := make([]byte, maxWindow+1<<20)
	if _, err := rand.NewChaCha8([32]byte{2}).Read(random); err != nil {
		t.Fatal(err)
	}
	far := append(random, random[:64<<10]...)
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, zstd.WithWindowSize(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(far); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = decompressAll(buf.Bytes(), int64(len(far)))
	if err == nil || !strings.Contains(err.Error(), "a window of more than 32 MiB") || !strings.Contains(hint.Of(err), "createrepo_c") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

// TestXZWindow: the same for xz, and for streams whose second dictionary is too
// large. What asks for a large dictionary and refers back no further is read.
func TestXZWindow(t *testing.T) {
	path := tool(t, "xz")
	text := make([]byte, 64<<10)
	if _, err := rand.NewChaCha8([32]byte{3}).Read(text); err != nil {
		t.Fatal(err)
	}
	pack := func(b []byte) []byte {
		cmd := exec.CommandContext(t.Context(), path, "--lzma2=preset=0,dict=64MiB", "-c")
		cmd.Stdin = bytes.NewReader(b)
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	near := append(bytes.Clone(text), text...)
	far := append(append(bytes.Clone(text), make([]byte, maxWindow)...), text...)
	for name, packed := range map[string][]byte{"far": pack(far), "two streams": append(pack(near), pack(near)...)} {
		_, err := decompressAll(packed, maxOpen)
		if err == nil || !strings.Contains(err.Error(), "a window of more than 32 MiB") || !strings.Contains(hint.Of(err), "createrepo_c") {
			t.Errorf("%s: %v (hint %q)", name, err, hint.Of(err))
		}
	}
	if got, err := decompressAll(pack(near), maxOpen); err != nil || !bytes.Equal(got, near) {
		t.Errorf("near: %d bytes, %v", len(got), err)
	}
}

func TestDecompressBomb(t *testing.T) {
	t.Parallel()
	zeros := bytes.Repeat(gzipped(t, make([]byte, 8<<20)), 16)
	_, err := decompressAll(zeros, maxOpen)
	if err == nil || !strings.Contains(err.Error(), "not plausible for metadata") {
		t.Errorf("error %v", err)
	}
}

// TestDecompressMemory: a small stream that asks for a dictionary of 4 GiB does
// not get it.
func TestDecompressMemory(t *testing.T) {
	big := xzed(t, []byte(onePackage), xz.WriterConfig{})
	// The block's header follows the stream's 12 bytes: size, flags, filter 0x21
	// with one byte of properties, padding, CRC-32.
	header := big[12 : 12+(int(big[12])+1)*4]
	at := bytes.Index(header, []byte{0x21, 1}) + 2
	header[at] = 40
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := decompressAll(big, 1<<40)
	runtime.ReadMemStats(&after)
	if err != nil || string(got) != onePackage {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
		t.Errorf("%d bytes allocated for a stream of %d", used, len(big))
	}
}

func TestDecompressReadError(t *testing.T) {
	t.Parallel()
	packed := gzipped(t, []byte(onePackage))
	r, err := Decompress("primary.xml.gz", io.MultiReader(bytes.NewReader(packed[:40]), iotest.ErrReader(fmt.Errorf("broken wire"))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil || err.Error() != "cannot decompress primary.xml.gz: broken wire" {
		t.Errorf("error %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read after Close")
	}
}

func FuzzDecompress(f *testing.F) {
	for _, b := range [][]byte{[]byte("plain"), gzipped(f, []byte("gzip")), xzed(f, []byte("some xz text"), xz.WriterConfig{}), zstded(f, []byte("zstd zstd"))} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		bounded(t, packed, func() {
			r, err := Decompress("fuzz", bytes.NewReader(packed))
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, io.LimitReader(r, 16<<20))
			if err == nil && n > 0 && len(packed) == 0 {
				t.Fatal("something out of nothing")
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	})
}
