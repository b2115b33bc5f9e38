package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// sequentialReader reads a member from start to end and hashes it.
type sequentialReader struct {
	f     *file
	sum   hash.Hash
	done  int64   // bytes handed out
	total int64   // bytes hashed
	whole *chunks // if all frames are decoded as a whole
	rest  []byte  // decoded and hashed, not handed out
	ended error
	buf   []byte // for solid frames
}

// sequentialReader starts reading the member of f.
func (r *Reader) sequentialReader(f *file) *sequentialReader {
	s := &sequentialReader{f: f, sum: sha256.New()}
	list := r.need(nil, f.member.Offset, f.member.Offset+f.member.Size)
	for _, n := range list {
		if !r.table.frames[n.frame].plain() {
			s.buf = make([]byte, 256<<10)
			return s
		}
	}
	s.whole = r.chunks(list, readAhead, nil)
	return s
}

func (s *sequentialReader) stop() {
	if s.whole != nil {
		s.whole.stop()
	}
}

func (s *sequentialReader) read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		rest, err := s.next()
		if err != nil {
			return 0, err
		}
		s.rest = rest
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	s.done += int64(n)
	return n, nil
}

// next returns the next bytes of the member, hashed. They are valid until the next
// call. The end is io.EOF only if the hash is right.
func (s *sequentialReader) next() ([]byte, error) {
	if s.ended != nil {
		return nil, s.ended
	}
	b, err := s.fetch()
	if err != nil {
		s.ended = err
		return nil, err
	}
	s.sum.Write(b)
	return b, nil
}

func (s *sequentialReader) fetch() ([]byte, error) {
	m := s.f.member
	at := m.Offset + s.total
	left := m.Offset + m.Size - at
	if left == 0 {
		if hex.EncodeToString(s.sum.Sum(nil)) != m.SHA256 {
			return nil, s.f.r.wrongHash(m)
		}
		return nil, io.EOF
	}
	if s.whole == nil {
		b := s.buf[:min(left, int64(len(s.buf)))]
		err := s.f.r.readRange(s.f, b, at)
		s.total += int64(len(b))
		return b, s.f.r.nameDamage(m.Path, err)
	}
	p, ok := s.whole.next()
	if !ok {
		p.err = damage("a member reaches beyond the frames")
	}
	if p.err != nil {
		return nil, s.f.r.nameDamage(m.Path, p.err)
	}
	b := p.b[max(0, at-p.at):]
	b = b[:min(int64(len(b)), left)]
	s.total += int64(len(b))
	return b, nil
}
