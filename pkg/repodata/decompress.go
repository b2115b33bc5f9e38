package repodata

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"kubecrate/pkg/hint"
)

const (
	// maxOpen bounds a decompressed file whose size is not known in advance.
	// The largest real one, Fedora's filelists.xml, is about 800 MB.
	maxOpen = 2 << 30
	// maxWindow bounds the memory a compressed stream can ask for; createrepo_c's
	// settings need 8 MiB, xz -9 asks for 64 but uses them only for large files.
	maxWindow = 32 << 20
	// maxRatio and bombFloor tell metadata from a bomb: real metadata shrinks
	// by 10 to 50.
	maxRatio  = 400
	bombFloor = 64 << 20
)

// Decompress returns the decompressed content of r, which is gzip, bzip2, xz,
// zstd or plain, recognised by the first bytes; name is used in errors only.
// More than 2 GiB, or 400 times the compressed size, is an error, as is a stream
// that is cut or whose checksum is wrong. Close does not close r.
func Decompress(name string, r io.Reader) (io.ReadCloser, error) {
	return DecompressLimit(name, r, maxOpen)
}

// DecompressLimit is Decompress with the number of bytes that may come out at
// most, such as Data.OpenSize; one more is an error.
func DecompressLimit(name string, r io.Reader, limit int64) (io.ReadCloser, error) {
	d := newDecompressor(name, r, limit)
	br := d.buf
	magic, err := br.Peek(6)
	if len(magic) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot decompress %s: %w", name, err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		err = d.gzip()
	case bytes.HasPrefix(magic, []byte("BZh")):
		d.out, err = bzip2.NewReader(br), nil
	case bytes.HasPrefix(magic, xzMagic):
		d.out, err = newXZReader(br, limit)
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18}):
		var z *zstd.Decoder
		z, err = zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			d.out, d.close = z, z.Close
		}
	default:
		d.out, err = br, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decompress %s: %w", name, err)
	}
	return d, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// decompressor bounds what comes out of a decoder.
type decompressor struct {
	name        string
	in          *countingReader
	buf         *bufio.Reader // over in
	out         io.Reader
	close       func()
	left, limit int64
	err         error
}

func newDecompressor(name string, r io.Reader, limit int64) *decompressor {
	in := &countingReader{r: r}
	return &decompressor{name: name, in: in, buf: bufio.NewReaderSize(in, 64<<10), left: limit, limit: limit}
}

// gzip makes d one of gzip.
func (d *decompressor) gzip() error {
	z, err := gzip.NewReader(d.buf)
	if err == nil {
		d.out, d.close = z, func() { _ = z.Close() } // nothing is held: Close repeats Read's error
	}
	return err
}

func (d *decompressor) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if int64(len(p)) > d.left+1 {
		p = p[:d.left+1]
	}
	n, err := d.out.Read(p)
	if int64(n) > d.left {
		n, err = int(d.left), fmt.Errorf("it decompresses to more than %d bytes", d.limit)
	}
	d.left -= int64(n)
	if total := d.limit - d.left; total > bombFloor && total/maxRatio > d.in.n {
		err = fmt.Errorf("its %d bytes decompress to %d or more, which is not plausible for metadata", d.in.n, total)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("cannot decompress %s: %w", d.name, windowError(err))
	}
	d.err = err
	return n, err
}

// errWindow is a stream that refers further back than is kept of it.
var errWindow = fmt.Errorf("it was compressed with a window of more than %d MiB", maxWindow>>20)

// windowError says what to do about a window that is too large.
func windowError(err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = errWindow
	}
	if !errors.Is(err, errWindow) {
		return err
	}
	return hint.With(err, "fetching it again does not help: use another mirror or release of the repository, "+
		"or copy its packages to a directory, run createrepo_c on it, and use the directory as baseurl")
}

func (d *decompressor) Close() error {
	if d.close != nil {
		d.close()
		d.close = nil
	}
	d.err = fmt.Errorf("cannot decompress %s: it is closed", d.name)
	return nil
}
