package archive

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// oneFrame checks that the bytes of a table entry are exactly one zstd frame: a
// decoder skips skippable frames and ignores data after the last requested frame,
// so the entry could hold more than the archive says. It follows the block headers
// (RFC 8878, sections 3.1.1.1 and 3.1.1.2) and keeps the checksum at the end.
type oneFrame struct {
	head  []byte // of the frame, until it is complete
	block []byte // header of the current block, until it is complete
	skip  int64  // bytes of the block to come
	last  bool   // it is the last block
	tail  []byte // the checksum
	state frameState
}

type frameState int

const (
	inHeader frameState = iota
	inBlockHeader
	inBlock
	inChecksum
	ended
)

// Sizes within a frame, in bytes.
const (
	blockHeader   = 3
	frameChecksum = 4
	mostBlock     = 128 << 10
)

// write checks b; an error reports what does not belong in a frame.
func (o *oneFrame) write(b []byte) error {
	for len(b) > 0 {
		var err error
		switch o.state {
		case inHeader:
			b, err = o.header(b)
		case inBlockHeader:
			b, err = o.blockHeader(b)
		case inBlock:
			n := min(o.skip, int64(len(b)))
			b = b[n:]
			if o.skip -= n; o.skip == 0 {
				o.endBlock()
			}
		case inChecksum:
			b = take(&o.tail, b, frameChecksum)
			if len(o.tail) == frameChecksum {
				o.state = ended
			}
		case ended:
			err = damage("a frame is followed by data that is not a frame")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take moves bytes from b to to until to has size bytes.
func take(to *[]byte, b []byte, size int) []byte {
	n := min(size-len(*to), len(b))
	*to = append(*to, b[:n]...)
	return b[n:]
}

func (o *oneFrame) header(b []byte) ([]byte, error) {
	had := len(o.head)
	rest := take(&o.head, b, maxHeader)
	var h zstd.Header
	if err := h.Decode(o.head); err != nil {
		if len(o.head) < maxHeader {
			return rest, nil // incomplete
		}
		return nil, damage("a frame has no header: %v", err)
	}
	if h.Skippable || !h.HasCheckSum {
		return nil, damage("a frame is skippable, or has no checksum")
	}
	o.state = inBlockHeader
	return b[max(0, h.HeaderSize-had):], nil
}

func (o *oneFrame) blockHeader(b []byte) ([]byte, error) {
	const kindRLE, kindReserved = 1, 3
	b = take(&o.block, b, blockHeader)
	if len(o.block) < blockHeader {
		return b, nil
	}
	head := int64(o.block[0]) | int64(o.block[1])<<8 | int64(o.block[2])<<16
	o.block = o.block[:0]
	o.last = head&1 != 0
	kind := head >> 1 & 3
	o.skip = head >> 3
	switch {
	case kind == kindReserved, o.skip > mostBlock:
		return nil, damage("a frame has a block of an unknown type or of %d bytes", o.skip)
	case o.skip == 0 && !o.last:
		return nil, damage("a frame has a block without content")
	case kind == kindRLE:
		o.skip = 1
	}
	if o.state = inBlock; o.skip == 0 {
		o.endBlock()
	}
	return b, nil
}

func (o *oneFrame) endBlock() {
	if o.state = inBlockHeader; o.last {
		o.state = inChecksum
	}
}

// end checks that the frame is complete and, if the seek table is known to be
// intact, that it ends with the content checksum in that table.
func (o *oneFrame) end(f frame, known bool) error {
	if o.state != ended {
		return damage("a frame is not complete")
	}
	if known && binary.LittleEndian.Uint32(o.tail) != f.sum {
		return damage("a frame's checksum does not match the seek table")
	}
	return nil
}

// checkFrame compares all bytes of a frame with its table entry; known is as for end.
func checkFrame(compressed []byte, f frame, known bool) error {
	if err := checkHeader(compressed, f); err != nil {
		return err
	}
	var o oneFrame
	if err := o.write(compressed); err != nil {
		return err
	}
	return o.end(f, known)
}
