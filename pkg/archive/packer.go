package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// Packer compresses any number of streams concurrently with a fixed amount of
// memory: streams share its encoders and one more buffer than encoders, and wait
// when all are in use. Create one for a whole build. Its methods are safe for
// concurrent use.
type Packer struct {
	level        Level
	scheme       scheme
	encoders     chan *zstd.Encoder // nil: not created yet
	frameBuffers chan *frameBuffer  // nil: not created yet
}

// frameBuffer is the memory of a frame in progress: its content, its compressed
// form, and the result once done is closed.
type frameBuffer struct {
	decompressed, compressed []byte
	frame                    frame
	err                      error
	done                     chan struct{}
}

// NewPacker returns a Packer that compresses one frame per processor concurrently,
// up to 4 at Fast and Default and 2 above, which keeps its memory under 120 MB.
// Memory is allocated when needed.
func NewPacker(level Level) *Packer {
	most := 4
	if schemeOf(level).frame > schemeOf(Default).frame {
		most = 2
	}
	return newPacker(level, min(runtime.GOMAXPROCS(0), most))
}

func newPacker(level Level, workers int) *Packer {
	p := &Packer{
		level: level, scheme: schemeOf(level),
		encoders:     make(chan *zstd.Encoder, workers),
		frameBuffers: make(chan *frameBuffer, workers+1),
	}
	for range workers {
		p.encoders <- nil
	}
	for range workers + 1 {
		p.frameBuffers <- nil
	}
	return p
}

// frameBuffer takes an empty buffer and waits if all are in use.
func (p *Packer) frameBuffer(ctx context.Context) (*frameBuffer, error) {
	select {
	case s := <-p.frameBuffers:
		if s == nil {
			s = &frameBuffer{decompressed: make([]byte, 0, p.scheme.frame), compressed: make([]byte, 0, compressedBound(int64(p.scheme.frame)))}
		}
		s.decompressed, s.compressed, s.err = s.decompressed[:0], s.compressed[:0], nil
		s.done = make(chan struct{})
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// rest frees the memory of unused buffers and encoders until they are needed
// again.
func (p *Packer) rest() {
	for range cap(p.frameBuffers) {
		select {
		case <-p.frameBuffers:
			p.frameBuffers <- nil
		default:
		}
	}
	for range cap(p.encoders) {
		select {
		case <-p.encoders:
			p.encoders <- nil
		default:
		}
	}
}

// free returns a buffer.
func (p *Packer) free(s *frameBuffer) { p.frameBuffers <- s }

// encode compresses s in the background and closes s.done when finished.
func (p *Packer) encode(s *frameBuffer) {
	go func() {
		defer close(s.done)
		e := <-p.encoders
		defer func() { p.encoders <- e }()
		if e == nil {
			var err error
			if e, err = zstd.NewWriter(nil, p.scheme.encoderOptions(p.scheme.frame)...); err != nil {
				s.err = fmt.Errorf("cannot compress: %w", err)
				return
			}
		}
		s.compressed = e.EncodeAll(s.decompressed, s.compressed[:0])
		s.frame = describe(s.compressed, len(s.decompressed))
	}()
}

// pipeline compresses frames in parallel and hands them on in order.
type pipeline struct {
	p     *Packer
	queue chan job
}

// job is queued output. write is called once, unless an earlier job failed, and
// release always.
type job interface {
	write(ctx context.Context, to *frameWriter) error
	release(p *Packer)
}

func (s *frameBuffer) write(ctx context.Context, to *frameWriter) error {
	select {
	case <-s.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.err != nil {
		return s.err
	}
	return to.frame(s.compressed, s.frame)
}

func (s *frameBuffer) release(p *Packer) {
	<-s.done
	p.free(s)
}

// run calls produce, which queues jobs, and writes them in order. It returns when
// all jobs are written and released, or with the first error.
func (p *Packer) run(ctx context.Context, to *frameWriter, produce func(context.Context, *pipeline) error) error {
	g, ctx := errgroup.WithContext(ctx)
	l := &pipeline{p: p, queue: make(chan job, cap(p.frameBuffers))}
	g.Go(func() error {
		defer close(l.queue)
		return produce(ctx, l)
	})
	g.Go(func() (err error) {
		for w := range l.queue {
			if err == nil {
				err = w.write(ctx, to)
			}
			w.release(p)
		}
		return err
	})
	return g.Wait()
}

// put appends w to the queue.
func (l *pipeline) put(ctx context.Context, w job) error {
	select {
	case l.queue <- w:
		return nil
	case <-ctx.Done():
		w.release(l.p)
		return context.Cause(ctx)
	}
}

// putBuffer starts to compress s and queues it.
func (l *pipeline) putBuffer(ctx context.Context, s *frameBuffer) error {
	l.p.encode(s)
	return l.put(ctx, s)
}

// content splits r into frames, the last one padded with zeros to whole tar
// blocks, and returns the number of bytes in r.
func (l *pipeline) content(ctx context.Context, r io.Reader) (int64, error) {
	var total int64
	for {
		s, err := l.p.frameBuffer(ctx)
		if err != nil {
			return total, err
		}
		n, err := readFull(ctx, r, s.decompressed[:cap(s.decompressed)])
		total += int64(n)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			l.p.free(s)
			return total, err
		}
		if n == 0 {
			l.p.free(s)
			return total, nil
		}
		s.decompressed = append(s.decompressed[:n], make([]byte, roundUp(total)-total)...)
		if err := l.putBuffer(ctx, s); err != nil || end {
			return total, err
		}
	}
}

// readFull fills b unless r ends, which it reports as io.EOF whether or not
// something was read. It checks ctx between reads.
func readFull(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	const step = 1 << 20
	for n < len(b) {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		k, err := r.Read(b[n:min(n+step, len(b))])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
