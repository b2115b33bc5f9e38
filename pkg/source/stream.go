package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"kubecrate/pkg/store"
)

// ErrRestarted is what a reader of Stream gets when bytes it has had turned out
// to be wrong and another mirror sends them again, or the next call will. Its
// caller forgets what it made of them, calls Stream again and then closes the
// first reader (the other way round the download would end and forget which
// mirror was wrong). Consume does all that.
var ErrRestarted = errors.New("the content restarts")

// Stream reads b as it arrives, or from the store. io.EOF comes only after
// every byte was verified and b is in the store; before that the bytes are not
// to be trusted. Resuming and retrying happen underneath. It must be closed;
// closing the last reader of a download ends it, and keeps what has arrived.
func (f *Fetcher) Stream(ctx context.Context, b Blob) (io.ReadCloser, error) {
	if err := check(b); err != nil {
		return nil, err
	}
	if r, err := f.streamStored(ctx, b); r != nil || err != nil {
		return r, err
	}
	s := &follower{ctx: ctx, fl: f.join(ctx, b)}
	// A reader that waits is woken when its context ends.
	s.stop = context.AfterFunc(ctx, func() {
		s.fl.mu.Lock()
		defer s.fl.mu.Unlock()
		s.fl.grown.Broadcast()
	})
	return s, nil
}

// Consume calls fn with a reader of b, and again from the start whenever the
// content starts again, until fn has seen the right content. fn need not read to
// the end: Consume does, so that nil says that all of b was verified. What fn
// makes must count only after Consume returned nil, and fn must be able to begin
// again. An error that fn returned because of wrong bytes gives way to the
// reason why they were wrong.
func (f *Fetcher) Consume(ctx context.Context, b Blob, fn func(io.Reader) error) error {
	for {
		r, err := f.Stream(ctx, b)
		if err != nil {
			return err
		}
		err = consume(ctx, r, fn)
		for follow, ok := r.(*follower); ok && errors.Is(err, ErrRestarted); {
			follow.rewind()
			err = consume(ctx, r, fn)
		}
		err = errors.Join(err, r.Close())
		if !errors.Is(err, ErrRestarted) {
			return err
		}
	}
}

// consume calls fn once. The verdict over the bytes goes before what fn says.
func consume(ctx context.Context, r io.Reader, fn func(io.Reader) error) error {
	err := fn(r)
	if hopeless(ctx, err) {
		return err
	}
	if _, verdict := io.Copy(io.Discard, r); verdict != nil {
		return verdict
	}
	return err
}

// hopeless says that err has its cause on this machine, not in the bytes.
func hopeless(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS))
}

// streamStored opens b in the store, where it is there.
func (f *Fetcher) streamStored(ctx context.Context, b Blob) (io.ReadCloser, error) {
	_, size, ok := f.store.Lookup(b.Digest)
	if !ok {
		return nil, nil
	}
	if b.Size > 0 && size != b.Size {
		// Either it is damaged, or the size is wrong: stored finds out.
		_, _, err := f.stored(ctx, b)
		return nil, err
	}
	r, err := f.store.OpenVerified(b.Digest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", b.Name, err)
	}
	return &storedReader{ctx: ctx, ReadCloser: r}, nil
}

// storedReader turns damage of the cache into a restart: the blob was removed,
// the next Stream downloads it.
type storedReader struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // the life of one reader
	err error
}

func (s *storedReader) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	n, err := s.ReadCloser.Read(b)
	if errors.Is(err, store.ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrRestarted, err)
	}
	s.err = err
	return n, err
}

// WriteTo reads to the end with a large buffer, for io.Copy.
func (s *storedReader) WriteTo(w io.Writer) (int64, error) { return copyAll(w, s) }

// follower reads along with a download. Small reads are served from a buffer.
type follower struct {
	ctx  context.Context //nolint:containedctx // the life of one reader
	fl   *flight
	stop func() bool
	once sync.Once

	generation int
	pos        int64 // of the next byte to be read from the content
	buf        []byte
	unread     []byte // part of buf
	err        error
}

// followBuffer serves reads that are smaller than it, in bytes.
const followBuffer = 256 << 10

func (s *follower) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(s.unread) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if len(b) >= followBuffer {
			n, err := s.next(b)
			s.err = err
			return n, err
		}
		if s.buf == nil {
			s.buf = make([]byte, followBuffer)
		}
		n, err := s.next(s.buf)
		s.unread, s.err = s.buf[:n], err
		if n == 0 {
			return 0, err
		}
	}
	n := copy(b, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// next waits for bytes after pos and reads what is there of them.
func (s *follower) next(b []byte) (int, error) {
	for {
		content, size, err := s.wait()
		if err != nil {
			return 0, err
		}
		n, err := content.ReadAt(b[:min(int64(len(b)), size-s.pos)], s.pos)
		s.fl.mu.Lock()
		stale := s.generation != s.fl.generation
		s.fl.mu.Unlock()
		if stale {
			continue // read while it was dropped; wait says what that means
		}
		if n == 0 && err != nil {
			return 0, fmt.Errorf("cannot read %s during the download: %w", s.fl.blob.Name, err)
		}
		s.pos += int64(n)
		return n, nil
	}
}

// wait returns when there is something to read after pos: size is above pos
// where the error is nil. A reader that has had nothing follows to the next
// generation of the content, one that has had something gets ErrRestarted.
func (s *follower) wait() (content io.ReaderAt, size int64, err error) {
	fl := s.fl
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for {
		switch {
		case s.ctx.Err() != nil:
			return nil, 0, context.Cause(s.ctx)
		case fl.done && fl.err != nil:
			return nil, 0, fl.err
		case s.generation != fl.generation && s.pos > 0:
			return nil, 0, ErrRestarted
		}
		s.generation = fl.generation
		if fl.size > s.pos {
			return fl.content, fl.size, nil
		}
		if fl.done {
			return nil, 0, io.EOF
		}
		fl.grown.Wait()
	}
}

// rewind begins to read from the start again.
func (s *follower) rewind() { s.pos, s.unread, s.err = 0, nil, nil }

// WriteTo reads to the end with a large buffer, for io.Copy.
func (s *follower) WriteTo(w io.Writer) (int64, error) { return copyAll(w, s) }

// copyAll is io.Copy without WriterTo and ReaderFrom.
func copyAll(w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, followBuffer))
}

// Close releases the download; the part that has arrived is kept.
func (s *follower) Close() error {
	s.once.Do(func() {
		s.stop()
		s.fl.leave()
	})
	return nil
}
