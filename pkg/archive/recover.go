package archive

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Recover opens an archive like Open, but does not need the seek table: if that is
// damaged or missing, it walks the frames instead. The result can be read as far as
// the frames are intact; Verify reports the damage of the table first, then every
// damaged member. If the index cannot be read either, the error is that of Open.
func Recover(r io.ReaderAt, size int64) (*Reader, error) {
	whole, err := Open(r, size)
	var d *DamageError
	if err == nil || !errors.As(err, &d) {
		return whole, err
	}
	t, werr := walkFrames(r, size)
	if werr != nil || len(t.frames) == 0 {
		return nil, errors.Join(err, werr)
	}
	a, nerr := newReader(r, t)
	if nerr != nil {
		return nil, err
	}
	a.damage = d
	return a, nil
}

// walkFrames builds a table from the frames themselves. It ends without an error
// at anything that is not a frame of this format. A frame's header has the size of
// its content, and its block headers lead to its end (RFC 8878, sections 3.1.1.1
// and 3.1.1.2).
func walkFrames(r io.ReaderAt, size int64) (*table, error) {
	var frames []frame
	for at := int64(0); at < size && len(frames) < maxFrames-1; {
		f, ok, err := walkFrame(r, at, size)
		if err != nil {
			return nil, fmt.Errorf("cannot read the archive: %w", err)
		}
		if !ok {
			break
		}
		frames = append(frames, f)
		at += int64(f.compressed)
	}
	t := newTable(frames)
	t.size = size
	return t, nil
}

// walkFrame measures the frame at offset at; ok is false if there is no complete
// frame.
func walkFrame(r io.ReaderAt, at, size int64) (f frame, ok bool, err error) {
	// Encoders write blocks of 64 KiB or more; very small ones are allowed, but
	// would make this slow.
	const leastBlock = 256
	head := make([]byte, min(maxHeader, size-at))
	if err := readAllAt(r, head, at); err != nil {
		return f, false, err
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil || !h.HasFCS || h.FrameContentSize == 0 || h.FrameContentSize > maxFrame {
		return f, false, nil
	}
	f.decompressed = uint32(h.FrameContentSize)
	if checkHeader(head, f) != nil {
		return f, false, nil
	}
	block := make([]byte, blockHeader)
	end := at + int64(h.HeaderSize)
	for most := int64(f.decompressed)/leastBlock + leastBlock; ; most-- {
		if end+blockHeader > size || most == 0 {
			return f, false, nil
		}
		if err := readAllAt(r, block, end); err != nil {
			return f, false, err
		}
		b := int64(block[0]) | int64(block[1])<<8 | int64(block[2])<<16
		length := b >> 3
		switch kind := b >> 1 & 3; {
		case kind == 3, length > mostBlock:
			return f, false, nil
		case kind == 1:
			length = 1
		}
		end += blockHeader + length
		if b&1 == 0 {
			continue
		}
		end += frameChecksum
		if end > size || end-at > compressedBound(int64(f.decompressed)) {
			return f, false, nil
		}
		f.compressed = uint32(end - at) //nolint:gosec // bounded by compressedBound
		sum := make([]byte, frameChecksum)
		if err := readAllAt(r, sum, end-frameChecksum); err != nil {
			return f, false, err
		}
		f.sum = tailSum(sum)
		return f, true, nil
	}
}

// readAllAt fills b from within the file.
func readAllAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}
