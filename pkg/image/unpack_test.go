package image

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	raw := tarOf(t, "x", 200_000)
	half := len(raw) / 2
	skippable := []byte{0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'}
	for title, c := range map[string]struct {
		mediaType string
		in, want  []byte
	}{
		"docker gzip":          {DockerLayer + ".gzip", gz(t, raw), raw},
		"docker plain":         {DockerLayer, raw, raw},
		"oci gzip":             {OCILayer + "+gzip", gz(t, raw), raw},
		"oci zstd":             {OCILayer + "+zstd", zst(t, raw), raw},
		"docker zstd":          {DockerLayer + ".zstd", zst(t, raw), raw},
		"oci plain":            {OCILayer, raw, raw},
		"members":              {OCILayer + "+gzip", slices.Concat(gz(t, raw[:half]), gz(t, raw[half:])), raw},
		"frames":               {OCILayer + "+zstd", slices.Concat(zst(t, raw[:half]), skippable, zst(t, raw[half:])), raw},
		"skippable first":      {OCILayer + "+zstd", slices.Concat(skippable, zst(t, raw)), raw},
		"typed gzip, is zstd":  {DockerLayer + ".gzip", zst(t, raw), raw},
		"typed gzip, is plain": {DockerLayer + ".gzip", raw, raw},
		"typed plain, is gzip": {OCILayer, gz(t, raw), raw},
		"empty tar":            {DockerLayer + ".gzip", gz(t, make([]byte, 1024)), make([]byte, 1024)},
		"nothing":              {OCILayer, nil, nil},
	} {
		rc, err := Unpack(c.mediaType, bytes.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", title, err)
			continue
		}
		got, err := io.ReadAll(rc)
		if err = errors.Join(err, rc.Close()); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes, want %d: %v", title, len(got), len(c.want), err)
		}
	}
}

func TestUnpackErrors(t *testing.T) {
	t.Parallel()
	raw := tarOf(t, "x", 20_000)
	g, z := gz(t, raw), zst(t, raw)
	flipped := bytes.Clone(g)
	flipped[len(g)/2] ^= 1
	for title, c := range map[string]struct {
		mediaType, want string
		in              io.Reader
	}{
		"foreign":          {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "non-distributable", bytes.NewReader(g)},
		"nondistributable": {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "non-distributable", bytes.NewReader(g)},
		"encrypted":        {OCILayer + "+gzip+encrypted", "encrypted", bytes.NewReader(g)},
		"no layer":         {"application/vnd.cncf.helm.chart.content.v1.tar+gzip", "not the media type of a layer", bytes.NewReader(g)},
		"no type":          {"", "not the media type", bytes.NewReader(g)},
		"gzip garbage":     {DockerLayer + ".gzip", "gzip", io.MultiReader(bytes.NewReader(g), strings.NewReader("garbage behind it"))},
		"gzip zeros":       {DockerLayer + ".gzip", "gzip", io.MultiReader(bytes.NewReader(g), bytes.NewReader(make([]byte, 512)))},
		"gzip one byte":    {DockerLayer + ".gzip", "gzip", io.MultiReader(bytes.NewReader(g), strings.NewReader("x"))},
		"gzip cut":         {DockerLayer + ".gzip", "unexpected EOF", bytes.NewReader(g[:len(g)-3])},
		"gzip flipped":     {DockerLayer + ".gzip", "cannot unpack gzip layer", bytes.NewReader(flipped)},
		"gzip no header":   {DockerLayer + ".gzip", "cannot unpack gzip layer", bytes.NewReader(g[:5])},
		"zstd garbage":     {OCILayer + "+zstd", "zstd", io.MultiReader(bytes.NewReader(z), strings.NewReader("garbage behind it"))},
		"zstd cut":         {OCILayer + "+zstd", "unexpected EOF", bytes.NewReader(z[:len(z)-3])},
		"html":             {DockerLayer + ".gzip", "it is not gzip, zstd or tar", strings.NewReader(strings.Repeat("<html>", 200))},
		"short":            {DockerLayer + ".gzip", "it is not gzip, zstd or tar", strings.NewReader("<html>")},
		"broken at once":   {DockerLayer + ".gzip", "broken on purpose", &failing{err: errBroken}},
		"broken later":     {DockerLayer + ".gzip", "broken on purpose", &failing{data: g[:len(g)/2], err: errBroken}},
		"broken at EOF":    {DockerLayer + ".gzip", "broken on purpose", &failing{data: g, err: errBroken}},
		"zstd at EOF":      {OCILayer + "+zstd", "broken on purpose", &failing{data: z, err: errBroken}},
		"plain at EOF":     {OCILayer, "broken on purpose", &failing{data: raw, err: errBroken}},
	} {
		rc, err := Unpack(c.mediaType, c.in)
		if err == nil {
			_, err = io.Copy(io.Discard, rc)
			err = errors.Join(err, rc.Close())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", title, err, c.want)
		}
		if strings.HasPrefix(c.want, "broken") && !errors.Is(err, errBroken) {
			t.Errorf("%s: the cause is lost: %v", title, err)
		}
	}
}

func TestUnpackLayer(t *testing.T) {
	t.Parallel()
	raw := tarOf(t, "x", 20_000)
	l := manifest.LockedLayer{MediaType: DockerLayer + ".gzip", DiffID: digestOf(raw)}
	read := func() (int, error) {
		rc, err := UnpackLayer(l, bytes.NewReader(gz(t, raw)))
		if err != nil {
			return 0, err
		}
		got, err := io.ReadAll(rc)
		return len(got), errors.Join(err, rc.Close())
	}
	if n, err := read(); err != nil || n != len(raw) {
		t.Errorf("%d bytes, %v", n, err)
	}
	l.DiffID = aDigest
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "diffID is "+digestOf(raw)+", not "+aDigest) {
		t.Errorf("a wrong diffID: %v", err)
	}
}

// A layer that unpacks to far more than it is, or that needs much memory, is
// refused with the limit and a way out. What gzip can make is always taken.
func TestUnpackIsBounded(t *testing.T) {
	t.Parallel()
	const much = unjudged + 64<<20
	zeros := func(w io.WriteCloser, n int64) {
		if _, err := io.CopyN(w, zero{}, n); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var bomb, wide, dense bytes.Buffer
	zw, err := zstd.NewWriter(&bomb)
	if err != nil {
		t.Fatal(err)
	}
	zeros(zw, much)
	if zw, err = zstd.NewWriter(&wide, zstd.WithWindowSize(2*maxWindow)); err != nil {
		t.Fatal(err)
	}
	zeros(zw, 3*maxWindow)
	zeros(gzip.NewWriter(&dense), much)
	for title, c := range map[string]struct {
		in   []byte
		want string
	}{
		"bomb": {bomb.Bytes(), "over 1100 times their size"},
		"wide": {wide.Bytes(), "a zstd window of more than 32 MiB"},
		"gzip": {dense.Bytes(), ""},
	} {
		rc, err := Unpack(OCILayer+"+zstd", bytes.NewReader(c.in))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, rc)
		if cerr := rc.Close(); cerr != nil {
			t.Error(cerr)
		}
		if c.want == "" {
			if err != nil || n != much {
				t.Errorf("%s: %d bytes, %v", title, n, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), "gzip") || n > much {
			t.Errorf("%s: %d bytes, %v, hint %q", title, n, err, hint.Of(err))
		}
	}
	u := &unpacker{r: strings.NewReader("x"), in: &counter{n: 1 << 40}, out: maxLayer, what: "layer"}
	if _, err := io.Copy(io.Discard, u); err == nil || !strings.Contains(err.Error(), "more than 64 GiB") {
		t.Error(err)
	}
}

// zero is an endless stream of zeros.
type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func FuzzUnpack(f *testing.F) {
	raw := make([]byte, 1024)
	f.Add(gz(f, raw))
	f.Add(zst(f, raw))
	f.Add(raw)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, data, func() {
			rc, err := Unpack(OCILayer+"+gzip", bytes.NewReader(data))
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, io.LimitReader(rc, 1<<20)); err == nil {
				_ = rc.Close()
			}
		})
	})
}
