package source

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// bufferSize is how much is read from a connection at once, in bytes.
const bufferSize = 256 << 10

// steadyProgress is how many new bytes a try must bring to count as a success
// of a kind, so that a line cut every minute still brings a large blob.
const steadyProgress = 1 << 20

// transfer brings part to its full length from one location.
func (fl *flight) transfer(ctx context.Context, l Location) error {
	if err := fl.f.acquire(ctx); err != nil {
		return err
	}
	defer fl.f.release()
	if fl.part.Size() > 0 && !fl.resumable(l) {
		if err := fl.restart(); err != nil {
			return err
		}
	}
	before := fl.part.Size()
	err := fl.transferFrom(ctx, l)
	var permanent *permanentError
	var local *localError
	if err == nil || errors.As(err, &permanent) || errors.As(err, &local) {
		return err
	}
	if fl.part.Size()-before >= steadyProgress {
		return &advancedError{err}
	}
	return err
}

// resumable says whether more bytes from l would belong to those of part: a
// digest holds them together, or else the same server's word.
func (fl *flight) resumable(l Location) bool {
	if fl.blob.Size > 0 && fl.part.Size() > fl.blob.Size {
		return false
	}
	return fl.blob.Digest != "" || (fl.etag != "" && fl.etagURL == l.URL)
}

func (fl *flight) transferFrom(ctx context.Context, l Location) error {
	r := request{offset: fl.part.Size()}
	if fl.etagURL == l.URL {
		r.etag = fl.etag
	}
	b, err := fl.f.open(ctx, l, r)
	if errors.Is(err, errRange) {
		// From the start, then; what is there already is passed over below.
		b, err = fl.f.open(ctx, l, request{})
	}
	if errors.Is(err, errWhole) {
		return fl.isWhole()
	}
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // what was read counts, see finish
	return fl.take(ctx, l, b)
}

// isWhole judges an entity that has no more bytes than part.
func (fl *flight) isWhole() error {
	if fl.blob.Size > 0 && fl.part.Size() != fl.blob.Size {
		return &permanentError{fmt.Errorf("it has %d bytes, want %d", fl.part.Size(), fl.blob.Size)}
	}
	return nil
}

// take appends an answer to part.
func (fl *flight) take(ctx context.Context, l Location, b *body) error {
	want := fl.blob.Size
	if b.total >= 0 && want > 0 && b.total != want {
		return &permanentError{fmt.Errorf("it has %d bytes, want %d", b.total, want)}
	}
	if want < 1 {
		want = b.total
	}
	if limit := fl.limit(); want > limit {
		return &permanentError{&LimitError{Size: want, Limit: limit}}
	}
	if want > 0 {
		if err := fl.part.Expect(want); err != nil {
			return &localError{err}
		}
		fl.meter.total = want
	}
	if err := fl.align(b); err != nil {
		return err
	}
	fl.answers++
	fl.etag, fl.etagURL = b.etag, l.URL
	return fl.copy(ctx, b, want)
}

// LimitError means that content is larger than the limit, in bytes; Size is 0 if it
// is unknown.
type LimitError struct{ Size, Limit int64 }

func (e *LimitError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("it has %d bytes, the limit is %d", e.Size, e.Limit)
	}
	return fmt.Sprintf("it is larger than %d bytes", e.Limit)
}

func (fl *flight) limit() int64 {
	switch {
	case fl.blob.Size > 0:
		return fl.blob.Size
	case fl.blob.Limit > 0:
		return fl.blob.Limit
	}
	return DefaultLimit
}

// align makes part and the answer meet. A server that sends everything though
// only the rest was asked for: a digest lets what is there be passed over,
// without one it is dropped.
func (fl *flight) align(b *body) error {
	have := fl.part.Size()
	if b.offset == have {
		return nil
	}
	if fl.blob.Digest == "" {
		return fl.restart()
	}
	_, err := io.CopyN(io.Discard, b, have-b.offset)
	if errors.Is(err, io.EOF) {
		// One of the two is wrong, and only a digest over all tells which.
		return errors.Join(fmt.Errorf("it has fewer than the %d bytes downloaded before", have), fl.restart())
	}
	return err
}

// copy reads to the end of the answer: want bytes in all, or as many as the
// limit allows where want is below 0.
func (fl *flight) copy(ctx context.Context, b *body, want int64) error {
	most := want
	if want < 0 {
		most = fl.limit()
	}
	buf := make([]byte, bufferSize)
	for {
		// One byte more than is right is read, to see that it is not there.
		n, err := b.Read(buf[:min(int64(len(buf)), most-fl.part.Size()+1)])
		if int64(n) > most-fl.part.Size() {
			if want < 0 {
				return &permanentError{&LimitError{Limit: most}}
			}
			return &permanentError{fmt.Errorf("it sends more than %d bytes", most)}
		}
		if err := fl.append(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return fl.complete(want)
		}
		if err != nil {
			return fl.cut(err, want)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// append writes b and shows it to the readers.
func (fl *flight) append(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := fl.part.Write(b)
	size := fl.part.Size()
	fl.mu.Lock()
	fl.size = size
	fl.grown.Broadcast()
	fl.mu.Unlock()
	fl.meter.advance(size, false)
	if err != nil {
		return &localError{err}
	}
	return nil
}

func (fl *flight) complete(want int64) error {
	if want >= 0 && fl.part.Size() < want {
		return fl.cut(io.ErrUnexpectedEOF, want)
	}
	return nil
}

// cut describes a body that ended early.
func (fl *flight) cut(err error, want int64) error {
	at := fmt.Sprintf("%d bytes", fl.part.Size())
	if want >= 0 {
		at = fmt.Sprintf("%d of %d bytes", fl.part.Size(), want)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut after %s: %w", at, err)
	}
	return fmt.Errorf("%w, after %s", err, at)
}
