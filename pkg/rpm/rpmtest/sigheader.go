package rpmtest

import (
	"encoding/binary"
	"sort"
)

// Types of header entries; source: rpm, include/rpm/rpmtag.h, rpmTagType.
const (
	typeInt32  = 4
	typeString = 6
	typeBin    = 7
)

const tagHeaderSignatures = 62

// sigStore is a signature header being written.
type sigStore struct{ entries []sigEntry }

type sigEntry struct {
	tag, kind uint32
	count     int
	data      []byte
}

func (s *sigStore) add(tag, kind uint32, count int, data []byte) {
	s.entries = append(s.entries, sigEntry{tag, kind, count, data})
}

// bytes is the header with its region entry first, padded to 8 bytes.
func (s *sigStore) bytes() []byte {
	sort.Slice(s.entries, func(i, j int) bool { return s.entries[i].tag < s.entries[j].tag })
	var index, data []byte
	for _, e := range s.entries {
		for e.kind == typeInt32 && len(data)%4 != 0 {
			data = append(data, 0)
		}
		index = appendEntry(index, e.tag, e.kind, len(data), e.count)
		data = append(data, e.data...)
	}
	total := len(s.entries) + 1
	region := appendEntry(nil, tagHeaderSignatures, typeBin, len(data), 16)
	data = appendEntry(data, tagHeaderSignatures, typeBin, -16*total, 16)
	out := []byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0}
	out = binary.BigEndian.AppendUint32(out, u32(total))
	out = binary.BigEndian.AppendUint32(out, u32(len(data)))
	out = append(append(append(out, region...), index...), data...)
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	return out
}

func appendEntry(b []byte, tag, kind uint32, offset, count int) []byte {
	b = binary.BigEndian.AppendUint32(b, tag)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, u32(offset))
	return binary.BigEndian.AppendUint32(b, u32(count))
}

// u32 is a number of the format: sizes and times of the packages made here, and
// offsets that may be negative.
func u32(n int) uint32 { return uint32(n) }
