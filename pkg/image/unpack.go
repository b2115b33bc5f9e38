package image

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// maxWindow bounds the memory of zstd decoding. Image builders write windows of 8 MiB
// or less, and 32 MiB at their best level.
const maxWindow = 32 << 20

// Bounds of unpacked layers. gzip compresses by a factor of 1032 at most, so no gzip
// layer exceeds maxRatio; zstd can reach a factor of 30,000.
const (
	maxLayer  = 64 << 30
	maxRatio  = 1100
	unjudged  = 256 << 20 // any layer may unpack to this size
	gzipAgain = "push the image again with gzip layers (docker push; buildctl and buildx: compression=gzip,force-compression=true), or remove the image from the manifest"
)

// compression of a layer's blob, detected by its first bytes.
type compression int

const (
	plain compression = iota
	gzipped
	zstandard
)

// CheckLayer returns why a layer of this media type is not supported: it is not a
// layer, it is non-distributable and so not in the registry, or it is encrypted.
func CheckLayer(mediaType string) error {
	base := mediaType
	for _, suffix := range []string{"+gzip", ".gzip", "+zstd", ".zstd"} {
		base = strings.TrimSuffix(base, suffix)
	}
	switch base {
	case OCILayer, DockerLayer:
		return nil
	}
	switch {
	case strings.HasSuffix(mediaType, "+encrypted"):
		return fmt.Errorf("layer of type %s is encrypted", quoted(mediaType))
	case strings.Contains(mediaType, "nondistributable"), strings.Contains(mediaType, ".foreign."):
		return fmt.Errorf("layer of type %s is non-distributable", quoted(mediaType))
	}
	return fmt.Errorf("%s is not the media type of a layer", quoted(mediaType))
}

// Unpack returns the raw tar of a layer's blob. The compression is detected by its
// first bytes, since some registries have wrong media types; UnpackLayer also
// verifies the diffID.
//
// A gzip stream of several members and a zstd stream of several frames are read to
// the end; trailing data is an error. r is read to its EOF, so an error that it
// returns instead of EOF is never lost. Close releases the decoder and leaves r open.
// The errors of CheckLayer come first. A layer that unpacks to more than 64 GiB, or
// to over 1100 times its size, is an error once that much was read.
func Unpack(mediaType string, r io.Reader) (io.ReadCloser, error) {
	if err := CheckLayer(mediaType); err != nil {
		return nil, err
	}
	in := &counter{r: r}
	br := bufio.NewReaderSize(in, 1<<16)
	kind, err := sniff(br)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack layer: %w", err)
	}
	switch kind {
	case gzipped:
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("cannot unpack gzip layer: %w", err)
		}
		return &unpacker{r: zr, in: in, what: "gzip layer", close: zr.Close}, nil
	case zstandard:
		zr, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("cannot unpack zstd layer: %w", err)
		}
		return &unpacker{r: zr, in: in, what: "zstd layer", close: func() error { zr.Close(); return nil }}, nil
	}
	if mediaType != OCILayer && mediaType != DockerLayer && !looksLikeTar(br) {
		return nil, fmt.Errorf("cannot unpack layer of type %s: it is not gzip, zstd or tar", quoted(mediaType))
	}
	return &unpacker{r: br, in: in, what: "layer", close: func() error { return nil }}, nil
}

// sniff reads at most the first four bytes. A shorter layer is plain. The magic
// numbers are in RFC 1952 and RFC 8878.
func sniff(br *bufio.Reader) (compression, error) {
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return plain, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
		return gzipped, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
		return zstandard, nil
	}
	return plain, nil
}

// looksLikeTar accepts a POSIX header, the zero block of an empty tar, and empty
// input.
func looksLikeTar(br *bufio.Reader) bool {
	head, _ := br.Peek(512) // a short head is checked like any other
	if len(head) == 0 {
		return true
	}
	return len(head) == 512 && (string(head[257:262]) == "ustar" || bytes.Count(head, []byte{0}) == 512)
}

// counter counts the bytes read of a blob.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

type unpacker struct {
	r     io.Reader
	in    *counter
	out   int64
	what  string
	close func() error
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.out += int64(n)
	switch {
	case errors.Is(err, io.EOF), err == nil && !u.tooLarge():
		return n, err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = hint.With(fmt.Errorf("it needs a zstd window of more than %d MiB (zstd --long or --ultra)", maxWindow>>20), "%s", gzipAgain)
	case u.tooLarge() && u.out > maxLayer:
		err = hint.With(fmt.Errorf("it unpacks to more than %d GiB", maxLayer>>30), "split the layer, or remove the image from the manifest")
	case u.tooLarge():
		err = hint.With(fmt.Errorf("%d bytes of it unpack to more than %d bytes, over %d times their size", u.in.n, u.out, maxRatio), "%s", gzipAgain)
	}
	return n, fmt.Errorf("cannot unpack %s: %w", u.what, err)
}

func (u *unpacker) tooLarge() bool {
	return u.out > maxLayer || u.out > unjudged && u.out/maxRatio > u.in.n
}

func (u *unpacker) Close() error { return u.close() }

// UnpackLayer is Unpack that also verifies the diffID: io.EOF comes only if the tar
// has the layer's diffID.
func UnpackLayer(layer manifest.LockedLayer, r io.Reader) (io.ReadCloser, error) {
	raw, err := Unpack(layer.MediaType, r)
	if err != nil {
		return nil, err
	}
	return &hashedReader{ReadCloser: raw, hash: sha256.New(), want: layer.DiffID, what: "diffID"}, nil
}

// hashedReader replaces EOF by an error if the digest of what it read is wrong.
type hashedReader struct {
	io.ReadCloser
	hash hash.Hash
	want string
	what string
}

func (h *hashedReader) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := "sha256:" + hex.EncodeToString(h.hash.Sum(nil)); got != h.want {
			err = fmt.Errorf("%s is %s, not %s", h.what, got, h.want)
		}
	}
	return n, err
}
