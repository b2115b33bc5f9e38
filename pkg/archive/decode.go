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

// decode returns the content of a frame that is decoded as a whole. The
// result is the caller's; give it to r.buffers when it is of no use any more.
// With sums the compressed bytes are compared with their checksum, and the
// error is errChanged, beside the content, where only they differ.
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

// errChanged says that compressed bytes differ from what was written while
// what they decompress to does not.
var errChanged = errors.New("its compressed bytes have changed, its content has not")

// newStreamDecoder decodes frames one behind the other, in the caller's
// goroutine, with a window of at most so many bytes, which a few bytes of input
// are enough to ask for.
func newStreamDecoder(r io.Reader, window uint64) (*zstd.Decoder, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	return d, nil
}

// trackedReader remembers why its source failed, which tells a source that
// cannot be read from bytes that make no sense to a decoder.
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

// damage is what a decoder's error err means.
func (t *trackedReader) damage(err error) error {
	switch {
	case t.err != nil:
		return fmt.Errorf("cannot read the archive: %w", t.err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damage("a frame cannot be decompressed: it is cut short")
	}
	return damage("a frame cannot be decompressed: %v", err)
}

// buffers are free buffers by the power of two that they hold.
type buffers [32]sync.Pool

// get returns n bytes of any content.
func (b *buffers) get(n int) []byte {
	class := bits.Len(uint(max(n, 1) - 1))
	if p, ok := b[class].Get().(*[]byte); ok {
		return (*p)[:n]
	}
	return make([]byte, n, 1<<class)
}

// put gives a buffer of get back.
func (b *buffers) put(p []byte) {
	if n := cap(p); n > 0 && n&(n-1) == 0 {
		b[bits.Len(uint(n-1))].Put(&p)
	}
}
