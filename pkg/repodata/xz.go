package repodata

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mikelolasagasti/xz"
)

var xzMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0}

var errXZ = errors.New("the xz stream is damaged")

// xzMaxDict is maxWindow as a block header of xz encodes it: (2 + n%2) << (n/2 + 11).
const xzMaxDict = 26

// xzReader is the library's reader with the errors of this package.
type xzReader struct {
	xz  *xz.Reader
	cut bool // the dictionary is smaller than the stream may need
}

// newXZReader reads xz streams, of which limit bytes can come out, with a
// dictionary of at most maxWindow.
func newXZReader(src *bufio.Reader, limit int64) (*xzReader, error) {
	head, capped := capDictionary(src)
	r := &xzReader{cut: capped && limit > maxWindow}
	var err error
	if r.xz, err = xz.NewReader(io.MultiReader(bytes.NewReader(head), src), maxWindow); err != nil {
		return nil, r.error(err)
	}
	return r, nil
}

func (r *xzReader) Read(p []byte) (int, error) {
	n, err := r.xz.Read(p)
	return n, r.error(err)
}

func (r *xzReader) error(err error) error {
	switch {
	case errors.Is(err, xz.ErrMemlimit), r.cut && errors.Is(err, xz.ErrData):
		return fmt.Errorf("%w: %w", errWindow, err)
	case errors.Is(err, xz.ErrData), errors.Is(err, xz.ErrFormat), errors.Is(err, xz.ErrBuf):
		return fmt.Errorf("%w: %w", errXZ, err)
	}
	return err
}

// capDictionary takes the header of the first stream and of its first block from
// src. A dictionary larger than maxWindow is replaced by maxWindow: xz -9 asks for
// 64 MiB for a file of any size, and only a match further back than the smaller
// dictionary fails. Without this the library refuses the file. What is not a sound
// header with LZMA2 alone stays as it is, and is left to the library.
//
// Source: The .xz File Format 1.1.0, 3.1 and 5.3.1.
func capDictionary(src *bufio.Reader) (head []byte, capped bool) {
	const stream = 12
	size, err := src.Peek(stream + 1)
	if err != nil || size[stream] == 0 { // an index follows, no block
		return nil, false
	}
	peeked, err := src.Peek(stream + (int(size[stream])+1)*4)
	if err != nil {
		return nil, false
	}
	head = bytes.Clone(peeked)
	block := head[stream : len(head)-4]
	sum := head[len(head)-4:]
	at := dictionaryAt(block)
	if at < 0 || block[at] <= xzMaxDict || block[at] > 40 || crc32.ChecksumIEEE(block) != binary.LittleEndian.Uint32(sum) {
		return nil, false
	}
	block[at] = xzMaxDict
	binary.LittleEndian.PutUint32(sum, crc32.ChecksumIEEE(block))
	_, _ = src.Discard(len(head)) // it was peeked
	return head, true
}

// dictionaryAt is where a block header has the size of the dictionary, -1 if
// LZMA2 is not its only filter.
func dictionaryAt(block []byte) int {
	at := 2
	if block[1]&0x3f != 0 {
		return -1
	}
	for _, given := range []byte{0x40, 0x80} { // sizes, compressed and not
		if block[1]&given == 0 {
			continue
		}
		_, n := binary.Uvarint(block[at:])
		if n <= 0 {
			return -1
		}
		at += n
	}
	if len(block) < at+3 || block[at] != 0x21 || block[at+1] != 1 {
		return -1
	}
	return at + 2
}
