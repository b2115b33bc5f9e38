package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
)

// Each calls fn with the content of every member that want selects (nil selects
// all), in archive order. Every needed frame is decoded once, ahead of use; no
// other frame is read. Content that fn reads to the end is compared with the
// member's hash: if it differs, the read ends with a *DamageError instead of
// io.EOF. Unread content is not checked. An error of fn ends the pass and is
// returned; fs.SkipAll ends it without an error.
func (r *Reader) Each(ctx context.Context, want func(Member) bool, fn func(Member, io.Reader) error) error {
	var chosen []int
	var list []need
	for i, m := range r.index.Members {
		if want == nil || want(m) {
			chosen = append(chosen, i)
			list = r.need(list, m.Offset, m.Offset+m.Size)
		}
	}
	p := &chunkReader{chunks: r.chunks(list, readAhead, nil)}
	defer p.chunks.stop()
	for _, i := range chosen {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		m := &memberReader{r: r, p: p, member: r.index.Members[i], sum: sha256.New(), stopped: ctx.Err}
		if err := fn(m.member, m); err != nil {
			if errors.Is(err, fs.SkipAll) {
				return nil
			}
			return err
		}
	}
	return nil
}

// chunkReader reads chunks in order.
type chunkReader struct {
	chunks *chunks
	now    chunk
}

// from returns the available bytes from offset at on, at least one.
func (p *chunkReader) from(at int64) ([]byte, error) {
	for at >= p.now.at+p.now.size {
		next, ok := p.chunks.next()
		if !ok {
			return nil, damage("a member reaches beyond the frames")
		}
		p.now = next
	}
	if p.now.err != nil {
		return nil, p.now.err
	}
	return p.now.b[at-p.now.at:], nil
}

// memberReader reads one member of a chunkReader.
type memberReader struct {
	r       *Reader
	p       *chunkReader
	member  Member
	sum     hash.Hash
	done    int64
	err     error
	stopped func() error
}

// Read implements io.Reader and checks the hash at the end.
func (m *memberReader) Read(b []byte) (int, error) {
	if m.err == nil && len(b) > 0 {
		n, err := m.read(b)
		m.err = err
		return n, err
	}
	return 0, m.err
}

func (m *memberReader) read(b []byte) (int, error) {
	if err := m.stopped(); err != nil {
		return 0, err
	}
	left := m.member.Size - m.done
	if left == 0 {
		if hex.EncodeToString(m.sum.Sum(nil)) != m.member.SHA256 {
			return 0, m.r.wrongHash(m.member)
		}
		return 0, io.EOF
	}
	have, err := m.p.from(m.member.Offset + m.done)
	if err != nil {
		return 0, m.r.nameDamage(m.member.Path, err)
	}
	n := copy(b, have[:min(int64(len(have)), left)])
	m.sum.Write(b[:n])
	m.done += int64(n)
	return n, nil
}

// WriteTo writes the rest of the member to w without copying.
func (m *memberReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for m.err == nil {
		if m.done == m.member.Size {
			_, m.err = m.read(nil)
			break
		}
		if m.err = m.stopped(); m.err != nil {
			break
		}
		have, err := m.p.from(m.member.Offset + m.done)
		if err != nil {
			m.err = m.r.nameDamage(m.member.Path, err)
			break
		}
		have = have[:min(int64(len(have)), m.member.Size-m.done)]
		m.sum.Write(have)
		m.done += int64(len(have))
		n, err := w.Write(have)
		if total += int64(n); err != nil {
			return total, fmt.Errorf("member %s: %w", m.member.Path, err)
		}
	}
	if errors.Is(m.err, io.EOF) {
		return total, nil
	}
	return total, m.err
}

// Compressed is the size in the file of the members that want selects (nil
// selects all), each frame counted once: what a pass over them reads.
func (r *Reader) Compressed(want func(Member) bool) int64 {
	var list []need
	for _, m := range r.index.Members {
		if want == nil || want(m) {
			list = r.need(list, m.Offset, m.Offset+m.Size)
		}
	}
	var n int64
	for _, frame := range list {
		n += int64(r.table.frames[frame.frame].compressed)
	}
	return n
}
