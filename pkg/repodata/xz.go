package repodata

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the xz container and leaves LZMA2 to a library. The library's
// own container reader allocates whatever dictionary a block header asks for, up
// to 4 GiB; here that is bounded. The sizes in the index are checked against the
// blocks'.
//
// Source: The .xz File Format 1.1.0. Filters other than LZMA2, which metadata
// does not use, are refused.
type xzReader struct {
	src    *bufio.Reader
	at     int64 // bytes read from src
	limit  int64 // bytes that can come out, so no dictionary is larger
	flags  byte  // kind of check
	block  io.Reader
	sum    hash.Hash
	begin  int64 // of the block, header included
	header int64 // bytes of the block's header
	packed int64 // sizes that the block's header promises, -1 for none
	open   int64
	out    int64 // bytes of the block so far
	sizes  hash.Hash
	blocks uint64
	cut    bool // the block asks for a larger window than it gets
	done   bool
}

var xzMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0}

var errXZ = errors.New("the xz stream is damaged")

func newXZReader(src *bufio.Reader, limit int64) (*xzReader, error) {
	x := &xzReader{src: src, limit: limit}
	if err := x.streamHeader(); err != nil {
		return nil, err
	}
	return x, nil
}

// ReadByte makes xzReader's position exact: lzma reads byte by byte from an
// io.ByteReader and never ahead.
func (x *xzReader) ReadByte() (byte, error) {
	c, err := x.src.ReadByte()
	if err == nil {
		x.at++
	}
	return c, err
}

type xzSource struct{ *xzReader }

func (s xzSource) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	s.at += int64(n)
	return n, err
}

func (x *xzReader) full(p []byte) error {
	_, err := io.ReadFull(xzSource{x}, p)
	return noEOF(err)
}

func (x *xzReader) streamHeader() error {
	var h [12]byte
	if err := x.full(h[:]); err != nil {
		return err
	}
	if !bytes.Equal(h[:6], xzMagic) || h[6] != 0 || h[7]&0xf0 != 0 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errXZ
	}
	x.flags, x.sizes, x.blocks = h[7], sha256.New(), 0
	if _, err := x.newCheck(); err != nil {
		return err
	}
	return nil
}

// newCheck is the hash of the stream's kind of check, nil for none.
func (x *xzReader) newCheck() (hash.Hash, error) {
	switch x.flags {
	case 0:
		return nil, nil
	case 1:
		return crc32.NewIEEE(), nil
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA)), nil
	case 10:
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("xz check %d is not known", x.flags)
}

func (x *xzReader) Read(p []byte) (int, error) {
	for !x.done {
		if x.block == nil {
			if err := x.nextBlock(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := x.block.Read(p)
		x.out += int64(n)
		if x.sum != nil {
			_, _ = x.sum.Write(p[:n]) // a hash never fails
		}
		switch {
		case errors.Is(err, io.EOF):
			err = x.endBlock()
		case err != nil && x.cut && !errors.Is(err, io.ErrUnexpectedEOF):
			err = fmt.Errorf("%w: %w", errWindow, err)
		}
		if n > 0 || err != nil {
			return n, noEOF(err)
		}
	}
	return 0, io.EOF
}

// nextBlock reads a block's header, or the index, the footer and the header of
// a further stream.
func (x *xzReader) nextBlock() error {
	x.begin = x.at
	size, err := x.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	if size == 0 {
		return x.endStream()
	}
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := x.full(h[1:]); err != nil {
		return err
	}
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return errXZ
	}
	x.header = int64(len(h))
	dict, err := x.blockHeader(body)
	if err != nil {
		return err
	}
	if x.sum, err = x.newCheck(); err != nil {
		return err
	}
	x.out = 0
	// A window larger than all that can come out serves nothing. One larger than
	// maxWindow is cut: only a match further back than that fails then.
	x.cut = min(dict, x.limit) > maxWindow
	dict = max(min(dict, x.limit, maxWindow), lzma.MinDictCap)
	x.block, err = lzma.Reader2Config{DictCap: int(dict)}.NewReader2(xzSource{x})
	return err
}

// blockHeader reads sizes and filters and returns the size of the dictionary.
func (x *xzReader) blockHeader(b []byte) (int64, error) {
	flags, b := b[1], b[2:]
	if flags&0x3f != 0 {
		return 0, errors.New("xz filters other than LZMA2 are not read")
	}
	x.packed, x.open = -1, -1
	for _, f := range []struct {
		bit byte
		dst *int64
	}{{0x40, &x.packed}, {0x80, &x.open}} {
		if flags&f.bit == 0 {
			continue
		}
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<62 {
			return 0, errXZ
		}
		*f.dst, b = int64(v), b[n:]
	}
	if len(b) < 3 || b[0] != 0x21 || b[1] != 1 {
		return 0, errors.New("xz filters other than LZMA2 are not read")
	}
	dict, err := lzma.DecodeDictCap(b[2])
	if err != nil {
		return 0, err
	}
	for _, c := range b[3:] {
		if c != 0 {
			return 0, errXZ
		}
	}
	return dict, nil
}

// endBlock reads padding and check of the block that just ended.
func (x *xzReader) endBlock() error {
	packed := x.at - x.begin - x.header
	if x.packed >= 0 && x.packed != packed || x.open >= 0 && x.open != x.out {
		return errXZ
	}
	unpadded := x.header + packed
	for (x.at-x.begin)%4 != 0 {
		if c, err := x.ReadByte(); err != nil || c != 0 {
			return errors.Join(noEOF(err), errXZ)
		}
	}
	if x.sum != nil {
		want := make([]byte, x.sum.Size())
		if err := x.full(want); err != nil {
			return err
		}
		got := x.sum.Sum(nil)
		if x.flags != 10 { // CRCs stand little-endian
			reverse(got)
		}
		if !bytes.Equal(got, want) {
			return errXZ
		}
		unpadded += int64(len(want))
	}
	x.record(unpadded, x.out)
	x.blocks++
	x.block = nil
	return nil
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// record adds the sizes of a block to what the index must list.
func (x *xzReader) record(unpadded, open int64) {
	b := binary.AppendVarint(binary.AppendVarint(nil, unpadded), open)
	_, _ = x.sizes.Write(b) // a hash never fails
}

// endStream reads the index and the footer, then padding and, if there is one,
// the next stream's header.
func (x *xzReader) endStream() error {
	size, err := x.index()
	if err != nil {
		return err
	}
	var f [12]byte
	if err := x.full(f[:]); err != nil {
		return err
	}
	if string(f[10:]) != "YZ" || f[8] != 0 || f[9] != x.flags ||
		crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:4]) ||
		int64(binary.LittleEndian.Uint32(f[4:8])+1)*4 != size {
		return errXZ
	}
	for {
		next, err := x.src.Peek(4)
		switch {
		case len(next) == 0 && errors.Is(err, io.EOF):
			x.done = true
			return nil
		case len(next) < 4:
			return errors.Join(noEOF(err), errXZ)
		case !bytes.Equal(next, []byte{0, 0, 0, 0}):
			return x.streamHeader()
		}
		if err := x.full(make([]byte, 4)); err != nil {
			return err
		}
	}
}

// index reads the index, whose first byte is already gone, and returns its size.
func (x *xzReader) index() (int64, error) {
	sum := crc32.NewIEEE()
	_, _ = sum.Write([]byte{0})
	in := &hashedBytes{x: x, sum: sum}
	count, err := binary.ReadUvarint(in)
	if err != nil || count != x.blocks {
		return 0, errors.Join(noEOF(err), errXZ)
	}
	want := x.sizes.Sum(nil)
	x.sizes.Reset()
	for range count {
		unpadded, err1 := binary.ReadUvarint(in)
		open, err2 := binary.ReadUvarint(in)
		if err := errors.Join(err1, err2); err != nil {
			return 0, noEOF(err)
		}
		if unpadded > 1<<62 || open > 1<<62 {
			return 0, errXZ
		}
		x.record(int64(unpadded), int64(open))
	}
	for (x.at-x.begin)%4 != 0 {
		if c, err := in.ReadByte(); err != nil || c != 0 {
			return 0, errors.Join(noEOF(err), errXZ)
		}
	}
	var crc [4]byte
	if err := x.full(crc[:]); err != nil {
		return 0, err
	}
	if sum.Sum32() != binary.LittleEndian.Uint32(crc[:]) || !bytes.Equal(x.sizes.Sum(nil), want) {
		return 0, errXZ
	}
	return x.at - x.begin, nil
}

type hashedBytes struct {
	x   *xzReader
	sum hash.Hash32
}

func (h *hashedBytes) ReadByte() (byte, error) {
	c, err := h.x.ReadByte()
	if err == nil {
		_, _ = h.sum.Write([]byte{c}) // a hash never fails
	}
	return c, err
}
