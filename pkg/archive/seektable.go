package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
)

// The seek table (zstd's contrib/seekable_format): one entry of 12 bytes per
// frame, then a footer of 9 bytes, in a skippable frame at the end of the file.
const (
	seekMagic      = 0x8F92EAB1
	seekFooter     = 9
	seekEntry      = 12
	seekChecksums  = 0x80 // the descriptor: has checksums, all other bits zero
	emptyXXH64     = 0x51D8E999
	maxFrames      = 1 << 20
	checksMagic    = "KCCHECKS"
	checksOverhead = skippableHeader + len(checksMagic) + 4 + 4 + 4
)

// table locates the frames: entries i and i+1 of the offsets are where frame i
// starts and ends, in the file and in the tar stream.
type table struct {
	frames             []frame
	at, decompressedAt []int64
	checks             int64 // where the checksums' frame starts: the end of the frames
	seek               int64 // where the seek table's frame starts
	size               int64 // of the file
}

// newTable computes the offsets of consecutive frames.
func newTable(frames []frame) *table {
	t := &table{frames: frames, at: make([]int64, len(frames)+1), decompressedAt: make([]int64, len(frames)+1)}
	for i, f := range frames {
		t.at[i+1] = t.at[i] + int64(f.compressed)
		t.decompressedAt[i+1] = t.decompressedAt[i] + int64(f.decompressed)
	}
	t.checks = t.at[len(frames)]
	t.seek = t.checks + int64(checksOverhead+4*len(frames))
	t.size = t.seek + int64(skippableHeader+seekEntry*(len(frames)+1)+seekFooter)
	return t
}

// find returns the number of the frame that holds the byte at offset of the tar
// stream, or the number of frames if the offset is after all of them.
func (t *table) find(offset int64) int {
	return sort.Search(len(t.frames), func(i int) bool { return t.decompressedAt[i+1] > offset })
}

// total is the length of the tar stream.
func (t *table) total() int64 { return t.decompressedAt[len(t.frames)] }

// trailer is what follows the frames: the checksums, then the seek table,
// which lists the frame of the checksums as one without content.
func (t *table) trailer() []byte {
	seek := t.seekTable()
	payload := []byte(checksMagic)
	payload = binary.LittleEndian.AppendUint32(payload, uint32(len(t.frames))) //nolint:gosec // at most maxFrames
	for _, f := range t.frames {
		payload = binary.LittleEndian.AppendUint32(payload, f.crc)
	}
	payload = binary.LittleEndian.AppendUint32(payload, crc32.Checksum(seek, castagnoli()))
	payload = binary.LittleEndian.AppendUint32(payload, crc32.Checksum(payload, castagnoli()))
	return append(skippable(checksNumber, payload), seek...)
}

func (t *table) seekTable() []byte {
	checks := frame{compressed: uint32(t.seek - t.checks), sum: emptyXXH64} //nolint:gosec // 4 bytes a frame
	payload := make([]byte, 0, t.size-t.seek)
	for _, f := range append(t.frames[:len(t.frames):len(t.frames)], checks) {
		payload = binary.LittleEndian.AppendUint32(payload, f.compressed)
		payload = binary.LittleEndian.AppendUint32(payload, f.decompressed)
		payload = binary.LittleEndian.AppendUint32(payload, f.sum)
	}
	payload = binary.LittleEndian.AppendUint32(payload, uint32(len(t.frames)+1)) //nolint:gosec // at most maxFrames
	payload = append(payload, seekChecksums)
	payload = binary.LittleEndian.AppendUint32(payload, seekMagic)
	return skippable(seekNumber, payload)
}

// readTable reads the seek table at the end of a file of size bytes. The result
// covers the file exactly; it does not have the crc of frames.
func readTable(r io.ReaderAt, size int64) (*table, error) {
	var footer [seekFooter]byte
	if size < skippableHeader+seekFooter {
		return nil, damage("it has only %d bytes", size)
	}
	if err := readAt(r, footer[:], size-seekFooter); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(footer[:]))
	length := skippableHeader + n*seekEntry + seekFooter
	switch {
	case binary.LittleEndian.Uint32(footer[5:]) != seekMagic:
		return nil, damage("it has no seek table at its end: it is truncated or not a kubecrate archive")
	case footer[4] != seekChecksums, n < 2, n > maxFrames, length > size:
		return nil, damage("the seek table at its end has another format")
	}
	b := make([]byte, length)
	if err := readAt(r, b, size-length); err != nil {
		return nil, err
	}
	if !isSkippable(b, seekNumber) {
		return nil, damage("the seek table at its end does not start where its length says")
	}
	return decodeTable(b[skippableHeader:len(b)-seekFooter], size)
}

// decodeTable reads the entries of a seek table.
func decodeTable(b []byte, size int64) (*table, error) {
	frames := make([]frame, len(b)/seekEntry)
	for i := range frames {
		e := b[i*seekEntry:]
		f := frame{compressed: binary.LittleEndian.Uint32(e), decompressed: binary.LittleEndian.Uint32(e[4:]), sum: binary.LittleEndian.Uint32(e[8:])}
		last := i == len(frames)-1
		switch {
		case last && (f.decompressed != 0 || f.sum != emptyXXH64):
			return nil, damage("the seek table does not end with the checksums")
		case !last && (f.decompressed == 0 || f.decompressed > maxFrame || f.compressed < minFrame || int64(f.compressed) > compressedBound(int64(f.decompressed))):
			return nil, damage("the seek table has a frame of %d bytes for %d bytes of content", f.compressed, f.decompressed)
		}
		frames[i] = f
	}
	checks := frames[len(frames)-1].compressed
	t := newTable(frames[:len(frames)-1])
	if t.size != size || int64(checks) != t.seek-t.checks {
		return nil, damage("the seek table describes a file of %d bytes, this one has %d", t.size, size)
	}
	return t, nil
}

// minFrame is the minimum size of a frame of this format: magic, descriptor, one
// byte of content size, a block header, a block of one byte, the checksum.
const minFrame = 4 + 1 + 1 + 3 + 1 + 4

// readChecks reads the checksums of the compressed frames and verifies that of the
// seek table.
func (t *table) readChecks(r io.ReaderAt) ([]uint32, error) {
	b := make([]byte, t.size-t.checks)
	if err := readAt(r, b, t.checks); err != nil {
		return nil, err
	}
	checks, seek := b[:t.seek-t.checks], b[t.seek-t.checks:]
	body := checks[skippableHeader:]
	end := len(body) - 4
	switch {
	case !isSkippable(checks, checksNumber), string(body[:len(checksMagic)]) != checksMagic,
		crc32.Checksum(body[:end], castagnoli()) != binary.LittleEndian.Uint32(body[end:]),
		int(binary.LittleEndian.Uint32(body[len(checksMagic):])) != len(t.frames):
		return nil, damage("the table of checksums behind the frames has changed")
	case crc32.Checksum(seek, castagnoli()) != binary.LittleEndian.Uint32(body[end-4:]):
		return nil, damage("the seek table has changed")
	}
	sums := make([]uint32, len(t.frames))
	for i := range sums {
		sums[i] = binary.LittleEndian.Uint32(body[len(checksMagic)+4+4*i:])
	}
	return sums, nil
}

// readAt fills b from offset; an end before that is damage.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) || err == nil {
		return damage("it is truncated at byte %d", offset+int64(n))
	}
	return fmt.Errorf("cannot read the archive at byte %d: %w", offset, err)
}
