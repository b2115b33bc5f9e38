package rpm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Limits of a header, checked before anything is allocated. rpm itself allows 65535
// entries and 256 MiB, for a signature header 32 and 64 MiB (lib/header.c,
// hdrblobRead); the largest headers in use have a few megabytes.
const (
	maxEntries          = 0xffff
	maxSignatureEntries = 32
	maxStore            = 64 << 20
)

// Types of entries; source: rpm, include/rpm/rpmtag.h, rpmTagType.
const (
	typeChar        = 1
	typeInt8        = 2
	typeInt16       = 3
	typeInt32       = 4
	typeInt64       = 5
	typeString      = 6
	typeBin         = 7
	typeStringArray = 8
	typeI18NString  = 9
)

// Region tags: the entry that marks the signed part of a header; source: rpm,
// include/rpm/rpmtag.h.
const (
	tagHeaderImage      = 61
	tagHeaderSignatures = 62
	tagHeaderImmutable  = 63
	tagI18NTable        = 100
)

const (
	introSize = 16 // magic, reserved, number of entries, bytes of data
	entrySize = 16 // tag, type, offset, count
)

var headerMagic = [8]byte{0x8e, 0xad, 0xe8, 0x01} // the last four are reserved and zero

// header is one validated header structure of the file: the data of every entry is
// within the store, and no two entries overlap.
type header struct {
	raw     []byte // as it is in the file, without padding
	store   []byte // the part of raw that entries point to
	entries map[uint32]entry
}

type entry struct {
	kind, count uint32
	start, end  int // in the store
}

// readHeader reads one header. region is the tag of the region it may have.
// Memory grows with the bytes that are read, not with the size that the first
// sixteen bytes claim.
func readHeader(r io.Reader, what string, region uint32) (*header, error) {
	intro := make([]byte, introSize)
	if _, err := io.ReadFull(r, intro); err != nil {
		return nil, readError(what, err)
	}
	if bytes.Equal(intro[:3], headerMagic[:3]) && intro[3] != headerMagic[3] {
		return nil, unsupported("a %s of version %d", what, intro[3])
	}
	if !bytes.Equal(intro[:8], headerMagic[:]) {
		return nil, corrupt("the %s does not begin with a header's magic number", what)
	}
	entries, size := binary.BigEndian.Uint32(intro[8:]), binary.BigEndian.Uint32(intro[12:])
	most := uint32(maxEntries)
	if region == tagHeaderSignatures {
		most = maxSignatureEntries
	}
	if entries == 0 || entries > most {
		return nil, corrupt("the %s claims %d entries, the limit is %d", what, entries, most)
	}
	if size > maxStore {
		return nil, corrupt("the %s claims %d bytes, the limit is %d", what, size, maxStore)
	}
	buf := bytes.NewBuffer(intro)
	if _, err := io.CopyN(buf, r, int64(entries)*entrySize+int64(size)); err != nil {
		return nil, readError(what, err)
	}
	h := &header{raw: buf.Bytes(), entries: make(map[uint32]entry, entries)}
	h.store = h.raw[introSize+entrySize*int(entries):]
	if err := h.index(region); err != nil {
		return nil, corrupt("the %s: %w", what, err)
	}
	return h, nil
}

// index checks the entries like rpm (lib/header.c, hdrblobVerifyInfo): rpm accepts
// everything that it accepts.
func (h *header) index(region uint32) error {
	table := h.raw[introSize : len(h.raw)-len(h.store)]
	trailer, after := len(h.store), len(h.store)
	if binary.BigEndian.Uint32(table) == region {
		var err error
		if trailer, err = h.checkRegion(table, region); err != nil {
			return err
		}
		after = trailer + entrySize
		table = table[entrySize:]
	}
	end := 0
	for ; len(table) > 0; table = table[entrySize:] {
		tag := binary.BigEndian.Uint32(table)
		e, err := h.entry(table, tag)
		if err != nil {
			return fmt.Errorf("tag %d: %w", tag, err)
		}
		if e.start < end || e.end > trailer && e.start < after {
			return fmt.Errorf("tag %d: overlapping data", tag)
		}
		if region == tagHeaderImmutable && !fits(tag, e.kind) {
			return fmt.Errorf("tag %d: wrong type %d", tag, e.kind)
		}
		end = e.end
		if _, twice := h.entries[tag]; twice {
			return fmt.Errorf("tag %d: duplicate", tag)
		}
		h.entries[tag] = e
	}
	return nil
}

// checkRegion returns where the region's trailer starts in the store. The region of
// a package's header must cover the whole header: data outside it is not covered by
// the signature (CVE-2021-20271). In the signature header of old packages, the
// trailer has the tag of the other kind of region.
//
// Source: rpm, lib/header.c, hdrblobVerifyRegion.
func (h *header) checkRegion(table []byte, region uint32) (int, error) {
	_, kind, offset, count := fields(table)
	if kind != typeBin || count != entrySize || uint64(offset)+entrySize > uint64(len(h.store)) {
		return 0, fmt.Errorf("its region entry is malformed")
	}
	tag, kind, negative, count := fields(h.store[offset:])
	// The trailer's offset points back, as a negative number, to the first entry.
	back := -negative
	old := region == tagHeaderSignatures && tag == tagHeaderImage
	if tag != region && !old || kind != typeBin || count != entrySize || back == 0 || back%entrySize != 0 || uint64(back) > uint64(len(table)) {
		return 0, fmt.Errorf("its region trailer is malformed")
	}
	if region == tagHeaderImmutable && (uint64(back) != uint64(len(table)) || int(offset)+entrySize != len(h.store)) {
		return 0, fmt.Errorf("it holds data outside its signed region")
	}
	return int(offset), nil
}

// fields returns the four numbers of an entry.
func fields(b []byte) (tag, kind, offset, count uint32) {
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
}

func (h *header) entry(table []byte, tag uint32) (entry, error) {
	_, kind, offset, count := fields(table)
	if int32(tag) < tagI18NTable { //nolint:gosec // rpm's tags are signed numbers
		return entry{}, fmt.Errorf("reserved tag")
	}
	if uint64(offset) >= uint64(len(h.store)) {
		return entry{}, fmt.Errorf("offset %d is outside the %d bytes of data", offset, len(h.store))
	}
	if count == 0 || uint64(count) > uint64(len(h.store)) {
		return entry{}, fmt.Errorf("invalid count %d for %d bytes of data", count, len(h.store))
	}
	e := entry{kind: kind, count: count, start: int(offset)}
	var err error
	e.end, err = h.dataEnd(e)
	return e, err
}

// dataEnd returns where an entry's data ends.
func (h *header) dataEnd(e entry) (int, error) {
	width := 0
	switch e.kind {
	case typeChar, typeInt8, typeBin:
		width = 1
	case typeInt16:
		width = 2
	case typeInt32:
		width = 4
	case typeInt64:
		width = 8
	case typeString, typeStringArray, typeI18NString:
		return h.stringsEnd(e)
	default:
		return 0, fmt.Errorf("unknown type %d", e.kind)
	}
	if e.start%width != 0 {
		return 0, fmt.Errorf("offset %d is not aligned to %d", e.start, width)
	}
	end := int64(e.start) + int64(width)*int64(e.count)
	if end > int64(len(h.store)) {
		return 0, fmt.Errorf("%d values of %d bytes at %d exceed the %d bytes of data", e.count, width, e.start, len(h.store))
	}
	return int(end), nil
}

func (h *header) stringsEnd(e entry) (int, error) {
	if e.kind == typeString && e.count != 1 {
		return 0, fmt.Errorf("string with a count of %d", e.count)
	}
	end := e.start
	for range e.count {
		n := bytes.IndexByte(h.store[end:], 0)
		if n < 0 {
			return 0, fmt.Errorf("unterminated string")
		}
		end += n + 1
	}
	return end, nil
}

// text returns a tag's first string, for an i18n string that of the first locale;
// "" if the tag is absent.
func (h *header) text(tag uint32) (string, error) {
	e, ok := h.entries[tag]
	if !ok {
		return "", nil
	}
	if !e.isText() {
		return "", fmt.Errorf("tag %d has type %d, not a string", tag, e.kind)
	}
	data := h.store[e.start:e.end]
	return string(data[:bytes.IndexByte(data, 0)]), nil
}

// texts returns all strings of a tag, nil if it is absent. More than limit are an
// error.
func (h *header) texts(tag uint32, limit int) ([]string, error) {
	e, ok := h.entries[tag]
	if !ok {
		return nil, nil
	}
	if !e.isText() {
		return nil, fmt.Errorf("tag %d has type %d, not strings", tag, e.kind)
	}
	if int64(e.count) > int64(limit) {
		return nil, fmt.Errorf("tag %d has %d strings, the limit is %d", tag, e.count, limit)
	}
	data := string(h.store[e.start:e.end]) // one shared copy
	out := make([]string, 0, e.count)
	for start, i := 0, 0; i < len(data); i++ {
		if data[i] == 0 {
			out = append(out, data[start:i])
			start = i + 1
		}
	}
	return out, nil
}

func (e entry) isText() bool { return isText(e.kind) }

func isText(kind uint32) bool {
	return kind == typeString || kind == typeStringArray || kind == typeI18NString
}

// numbers returns all values of a tag, nil if it is absent. More than limit are an
// error.
func (h *header) numbers(tag uint32, limit int) ([]uint64, error) {
	e, ok := h.entries[tag]
	if !ok {
		return nil, nil
	}
	if e.isText() || e.kind == typeBin {
		return nil, fmt.Errorf("tag %d has type %d, not numbers", tag, e.kind)
	}
	if int64(e.count) > int64(limit) {
		return nil, fmt.Errorf("tag %d has %d numbers, the limit is %d", tag, e.count, limit)
	}
	data := h.store[e.start:e.end]
	width := len(data) / int(e.count)
	out := make([]uint64, e.count)
	for i := range out {
		for _, b := range data[i*width : (i+1)*width] {
			out[i] = out[i]<<8 | uint64(b)
		}
	}
	return out, nil
}

// number returns a tag's first value; ok is false if the tag is absent.
func (h *header) number(tag uint32) (n int64, ok bool, err error) {
	values, err := h.numbers(tag, math.MaxUint16)
	if err != nil || len(values) == 0 {
		return 0, false, err
	}
	if values[0] > math.MaxInt64 {
		return 0, false, fmt.Errorf("tag %d has the invalid value %d", tag, values[0])
	}
	return int64(values[0]), true, nil //nolint:gosec // bounded just above
}

// binary returns the bytes of a tag, nil if it is absent.
func (h *header) binary(tag uint32) ([]byte, error) {
	e, ok := h.entries[tag]
	if !ok {
		return nil, nil
	}
	if e.kind != typeBin {
		return nil, fmt.Errorf("tag %d has type %d, not binary", tag, e.kind)
	}
	return h.store[e.start:e.end], nil
}
