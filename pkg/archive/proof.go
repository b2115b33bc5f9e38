package archive

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// partSize is how many bytes of a member one hash of a proof covers.
const partSize = 1 << 20

// proof holds the SHA-256 of every part of a verified member: later reads are
// compared part by part, because the file may have been replaced since.
type proof struct {
	sums [][sha256.Size]byte
}

// prove hashes the member once.
func (f *file) prove() (*proof, error) {
	if p := f.r.proofs[f.number].Load(); p != nil {
		return p, nil
	}
	s := f.r.sequentialReader(f)
	defer s.stop()
	parts := partHasher{sum: sha256.New()}
	for {
		b, err := s.next()
		if errors.Is(err, io.EOF) {
			p := parts.end()
			f.r.proofs[f.number].Store(p)
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		parts.write(b)
	}
}

// provenPart reads the existing part n of the member and caches the last one.
func (f *file) provenPart(p *proof, n int64) ([]byte, error) {
	if f.part != nil && f.partOf == n {
		return f.part, nil
	}
	at := n * partSize
	b := make([]byte, min(partSize, f.member.Size-at))
	f.part = nil
	if err := f.r.readRange(f, b, f.member.Offset+at); err != nil {
		return nil, err
	}
	if sha256.Sum256(b) != p.sums[n] {
		return nil, hinted(damage("its content has changed since it was first read: was the archive replaced?"), f.r.src)
	}
	f.part, f.partOf = b, n
	return b, nil
}

// partHasher hashes the parts of what is written to it.
type partHasher struct {
	sum  hash.Hash
	n    int64 // bytes of the current part
	done proof
}

func (h *partHasher) write(b []byte) {
	for len(b) > 0 {
		n := min(partSize-h.n, int64(len(b)))
		h.sum.Write(b[:n])
		h.n += n
		b = b[n:]
		if h.n == partSize {
			h.end()
		}
	}
}

// end ends the current part, if it has any bytes.
func (h *partHasher) end() *proof {
	if h.n > 0 {
		h.done.sums = append(h.done.sums, [sha256.Size]byte(h.sum.Sum(nil)))
		h.sum.Reset()
		h.n = 0
	}
	return &h.done
}
