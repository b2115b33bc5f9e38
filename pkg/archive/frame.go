package archive

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// Limits of frames. See RFC 8878 for frames, and contrib/seekable_format of
// zstd for maxFrame (ZSTD_SEEKABLE_MAX_FRAME_DECOMPRESSED_SIZE).
const (
	maxFrame  = 1 << 30   // content of a frame
	maxPlain  = 16 << 20  // content of a frame that is decoded as a whole
	maxWindow = 128 << 20 // what zstd -d accepts without a flag

	skippableHeader = 8 // magic and length, both little-endian uint32
)

// frame is one entry of a frame table: sizes in bytes, sum the low half of the
// content's XXH64, which is the zstd frame's own checksum, crc the CRC-32C of
// the compressed bytes.
type frame struct {
	compressed, decompressed uint32
	sum, crc                 uint32
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// describe returns the table entry of a finished frame.
func describe(compressed []byte, decompressed int) frame {
	return frame{
		compressed:   uint32(len(compressed)), //nolint:gosec // a frame is far below 4 GiB
		decompressed: uint32(decompressed),    //nolint:gosec // at most maxFrame
		sum:          tailSum(compressed),
		crc:          crc32.Checksum(compressed, castagnoli()),
	}
}

// plain reports whether a frame is decoded as a whole rather than as a stream.
func (f frame) plain() bool { return f.decompressed <= maxPlain }

// compressedBound is the maximum size of a frame with that many bytes of content:
// blocks of 128 KiB or less with 3 bytes each, header and checksum. It leaves room
// for encoders that write small blocks.
func compressedBound(decompressed int64) int64 { return decompressed + decompressed/512 + 1024 }

// checkHeader compares the start of a frame with its table entry.
func checkHeader(start []byte, f frame) error {
	var h zstd.Header
	if err := h.Decode(start); err != nil {
		return damage("a frame does not start where the seek table says: %v", err)
	}
	switch {
	case h.Skippable || h.DictionaryID != 0 || !h.HasCheckSum || !h.HasFCS:
		return damage("a frame is invalid: it is skippable, lacks its size or checksum, or uses a dictionary")
	case h.FrameContentSize != uint64(f.decompressed):
		return damage("a frame holds %d bytes, the seek table says %d", h.FrameContentSize, f.decompressed)
	case h.SingleSegment && !f.plain(), h.WindowSize > maxWindow:
		return damage("a frame needs a window of over %d MiB", maxWindow>>20)
	}
	return nil
}

// skippable wraps payload in a skippable frame (RFC 8878, section 3.1.2);
// number is the low digit of its magic.
func skippable(number byte, payload []byte) []byte {
	b := make([]byte, 0, skippableHeader+len(payload))
	b = binary.LittleEndian.AppendUint32(b, skippableMagic+uint32(number))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload))) //nolint:gosec // tables are bounded
	return append(b, payload...)
}

// isSkippable reports whether b starts with the header of a skippable frame of
// that number with a total of len(b) bytes.
func isSkippable(b []byte, number byte) bool {
	return len(b) >= skippableHeader &&
		binary.LittleEndian.Uint32(b) == skippableMagic+uint32(number) &&
		int64(binary.LittleEndian.Uint32(b[4:])) == int64(len(b)-skippableHeader)
}

// The skippable frames of this format: magic numbers 0x184D2A5x, where 0xE is
// the seekable format's own.
const (
	skippableMagic = 0x184D2A50
	packedNumber   = 0xA // the footer of what Pack writes
	checksNumber   = 0xB // the checksums of an archive
	seekNumber     = 0xE // its seek table
)

// tailSum is the checksum at the end of a frame: the low half of the content's
// XXH64.
func tailSum(compressed []byte) uint32 {
	return binary.LittleEndian.Uint32(compressed[len(compressed)-4:])
}
