package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long Partial waits before it looks again whether another process has let
// go of a partial download.
const (
	lockPollFirst = 5 * time.Millisecond
	lockPollMost  = 250 * time.Millisecond
)

// Partial is a blob on its way. One that is made for a digest survives Close
// and the death of the process; the next Partial of that digest continues where
// it ended. Only one process, and one Partial in it, has it at a time. Methods
// are for one goroutine, except ReadAt, which may run beside Write.
type Partial struct {
	file      *tempFile
	hash      *hasher
	resumed   int64
	committed bool
}

// Partial opens the partial download of a digest of any algorithm, after
// waiting for the process that may have it; waiting, which may be nil, is
// called once in that case. What is there is hashed again from the disk. The
// caller should look into the store once more before it continues: the process that had it
// may have ended the download.
func (s *Store) Partial(ctx context.Context, want string, waiting func()) (*Partial, error) {
	h, err := newHasher(want)
	if err != nil {
		return nil, err
	}
	if want == "" {
		return s.temporary("")
	}
	path := filepath.Join(s.partialDir(), strings.Replace(want, ":", "-", 1))
	for pause := lockPollFirst; ; pause = min(2*pause, lockPollMost) {
		f, err := s.claim(path)
		if err != nil {
			return nil, err
		}
		if f != nil {
			p := &Partial{file: &tempFile{File: f, s: s, w: f}, hash: h}
			if err := p.rehash(ctx); err != nil {
				return nil, errors.Join(err, p.Close())
			}
			return p, nil
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// claim opens and locks path; nil where somebody else has it. Between open and
// lock its owner may have moved it to its final name: such a file is closed.
func (s *Store) claim(path string) (*os.File, error) {
	//atomicfile:except a download survives the process, and the next one resumes it
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, Explain(fmt.Errorf("cannot write to the cache: %w", err), s.dir, 0)
	}
	ours, err := lock(f)
	if err == nil && ours {
		ours, err = isAt(f, path)
	}
	if err == nil && ours {
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// temporary is a Partial that no other process can find.
func (s *Store) temporary(want string) (*Partial, error) {
	h, err := newHasher(want)
	if err != nil {
		return nil, err
	}
	file, err := s.createTemp()
	if err != nil {
		return nil, err
	}
	return &Partial{file: file, hash: h}, nil
}

// rehash reads what an earlier process left.
func (p *Partial) rehash(ctx context.Context) error {
	info, err := p.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	buf := make([]byte, bufferSize)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := p.file.ReadAt(buf, p.file.size)
		_, _ = p.hash.Write(buf[:n]) // a hash never fails
		p.file.size += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read a partial download: %w", err)
		}
	}
	p.file.flushed, p.resumed = p.file.size, p.file.size
	return nil
}

// Size is the number of bytes there.
func (p *Partial) Size() int64 { return p.file.size }

// Expect says how many bytes it will have in all. A disk that has no room for
// them is a *SpaceError.
func (p *Partial) Expect(total int64) error {
	p.file.need = total
	return p.file.s.RequireSpace(total - p.file.size)
}

// Write appends b. What reached the file counts even where it is an error, see
// Explain.
func (p *Partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	_, _ = p.hash.Write(b[:n]) // a hash never fails
	return n, err
}

// ReadAt reads what was written before, also after Commit, until Close.
func (p *Partial) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

// Reset drops all bytes, to begin again.
func (p *Partial) Reset() error {
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("cannot empty a partial download: %w", err)
	}
	p.file.size, p.file.flushed, p.resumed = 0, 0, 0
	p.hash.reset()
	return nil
}

// Commit gives the blob its final name and returns its sha256 digest. A digest
// that is not the one asked for is a *DigestError; then, and on any other
// error, the Partial stays what it was.
func (p *Partial) Commit() (digest string, err error) {
	if p.committed {
		return "", errors.New("cannot commit a blob twice")
	}
	if err := p.hash.check(); err != nil {
		return "", err
	}
	digest = p.hash.sum()
	s := p.file.s
	if err := p.file.moveTo(s.Path(digest)); err != nil {
		return "", fmt.Errorf("cannot keep %s in the cache: %w", digest, err)
	}
	p.committed = true
	if p.hash.other != nil {
		if err := s.setAlias(p.hash.want, digest); err != nil {
			return "", err
		}
	}
	return digest, nil
}

// Close closes it. What was written stays, to be resumed, unless it
// is nothing, or of no known digest.
func (p *Partial) Close() error {
	if !p.committed && (p.file.size == 0 || p.hash.want == "") {
		return p.Discard()
	}
	return p.file.Close()
}

// Discard closes it and drops what was written; after Commit or Close it
// only closes.
func (p *Partial) Discard() error {
	if p.committed || p.file.closed {
		return p.file.Close()
	}
	return p.file.remove()
}
