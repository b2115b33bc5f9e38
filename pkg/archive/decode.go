package archive

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// decode returns the content of a frame that is decoded as a whole. The caller
// owns the result and returns it to r.buffers when done. With sums, the compressed
// bytes are compared with their checksum; if only they differ, the content is
// returned together with errChanged.
func (r *Reader) decode(i int, sums []uint32) ([]byte, error) {
	f := r.table.frames[i]
	compressed := r.buffers.get(int(f.compressed))
	defer r.buffers.put(compressed)
	if err := readAt(r.src, compressed, r.table.at[i]); err != nil {
		return nil, err
	}
	if err := checkFrame(compressed, f, sums != nil); err != nil {
		return nil, err
	}
	decompressed, err := r.decoder.DecodeAll(compressed, r.buffers.get(int(f.decompressed))[:0])
	if err == nil && len(decompressed) != int(f.decompressed) {
		err = fmt.Errorf("%d bytes, not %d", len(decompressed), f.decompressed)
	}
	if err != nil {
		return nil, damage("a frame cannot be decompressed: %v", err)
	}
	if sums != nil && crc32.Checksum(compressed, castagnoli()) != sums[i] {
		return decompressed, errChanged
	}
	return decompressed, nil
}

// errChanged reports that compressed bytes have changed but decompress to the
// same content.
var errChanged = errors.New("its compressed bytes have changed, but its content has not")

// newStreamDecoder returns a decoder for consecutive frames that works in the
// caller's goroutine. The window is bounded, because a few bytes of input can
// request a large one.
func newStreamDecoder(r io.Reader, window uint64) (*zstd.Decoder, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	return d, nil
}

// trackedReader records the error of its source, to distinguish a read error from
// damaged data.
type trackedReader struct {
	r   io.Reader
	err error // of r, never io.EOF
}

func (t *trackedReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// damage translates a decoder's error err.
func (t *trackedReader) damage(err error) error {
	switch {
	case t.err != nil:
		return fmt.Errorf("cannot read the archive: %w", t.err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damage("a frame cannot be decompressed: it is truncated")
	}
	return damage("a frame cannot be decompressed: %v", err)
}

// buffers holds free buffers by size, a power of two.
type buffers [32]sync.Pool

// get returns n bytes with undefined content.
func (b *buffers) get(n int) []byte {
	class := bits.Len(uint(max(n, 1) - 1))
	if p, ok := b[class].Get().(*[]byte); ok {
		return (*p)[:n]
	}
	return make([]byte, n, 1<<class)
}

// put returns a buffer of get.
func (b *buffers) put(p []byte) {
	if n := cap(p); n > 0 && n&(n-1) == 0 {
		b[bits.Len(uint(n-1))].Put(&p)
	}
}
