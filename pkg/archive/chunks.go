package archive

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// chunk is a part of the tar stream: b, which starts at offset at, or the error
// why the size bytes from there cannot be read. changed reports that the
// compressed bytes do not match their checksum; for a frame decoded as a stream,
// an empty chunk at its end reports it.
type chunk struct {
	at, size int64
	b        []byte
	changed  bool
	err      error
}

// chunks decodes frames in order, ahead of use. It must be stopped.
type chunks struct {
	r     *Reader
	list  []need   // frames to come
	ahead int      // whole frames to decode at once, beside the one in use
	sums  []uint32 // checksums of compressed frames to compare with, or nil
	quit  chan struct{}
	whole []chan chunk
	solid chan chunk
	// stream is the stream decoded last; the goroutine behind solid owns it until
	// it closes solid.
	stream *solidStream
	free   chan []byte
	held   []byte
}

// need is a frame that is needed up to offset to of the tar stream.
type need struct {
	frame int
	to    int64
}

// need appends to list the frames that hold bytes from to to of the tar stream;
// the frames in list end at or before from.
func (r *Reader) need(list []need, from, to int64) []need {
	for i := r.table.find(from); i < len(r.table.frames) && r.table.decompressedAt[i] < to; i++ {
		if n := len(list); n > 0 && list[n-1].frame == i {
			list[n-1].to = to
			continue
		}
		list = append(list, need{frame: i, to: to})
	}
	return list
}

// readAhead is how many whole frames are decoded beside the one in use.
const readAhead = 2

// chunks starts decoding the frames of list.
func (r *Reader) chunks(list []need, ahead int, sums []uint32) *chunks {
	return &chunks{r: r, list: list, ahead: ahead, sums: sums, quit: make(chan struct{})}
}

// stop ends all decoding in progress.
func (p *chunks) stop() { close(p.quit) }

// next returns the next chunk; its bytes are valid until the next call. ok is
// false at the end. It waits no longer than it takes to read a frame.
func (p *chunks) next() (next chunk, ok bool) {
	if p.solid != nil {
		if p.held != nil {
			p.free <- p.held
			p.held = nil
		}
		if next, ok = <-p.solid; ok {
			p.held = next.b
			return next, true
		}
		p.solid, p.free = nil, nil
	}
	p.r.buffers.put(p.held)
	p.held = nil
	for len(p.list) > 0 && len(p.whole) < p.ahead && p.r.table.frames[p.list[0].frame].plain() {
		p.whole = append(p.whole, p.decode(p.list[0].frame))
		p.list = p.list[1:]
	}
	if len(p.whole) > 0 {
		next = <-p.whole[0]
		p.whole, p.held = p.whole[1:], next.b
		return next, true
	}
	if len(p.list) == 0 {
		return chunk{}, false
	}
	p.startSolid(p.list[0])
	p.list = p.list[1:]
	return p.next()
}

// decode decodes a whole frame in the background.
func (p *chunks) decode(i int) chan chunk {
	c := make(chan chunk, 1)
	go func() {
		t := p.r.table
		b, err := p.r.decode(i, p.sums)
		next := chunk{at: t.decompressedAt[i], size: int64(t.frames[i].decompressed), b: b, err: err}
		if errors.Is(err, errChanged) {
			next.changed, next.err = true, nil
		}
		c <- next
	}()
	return c
}

// startSolid decodes a frame as a stream in the background.
func (p *chunks) startSolid(n need) {
	const buffers, size = 3, 1 << 20
	p.solid = make(chan chunk, buffers)
	p.free = make(chan []byte, buffers+1)
	for range buffers {
		p.free <- p.r.buffers.get(size)
	}
	go p.runSolid(n, p.solid, p.free)
}

func (p *chunks) runSolid(want need, out chan<- chunk, free <-chan []byte) {
	defer close(out)
	t, i := p.r.table, want.frame
	at, end := t.decompressedAt[i], t.decompressedAt[i+1]
	s, err := p.r.openSolid(i, p.sums, p.stream)
	if err != nil {
		p.send(out, chunk{at: at, size: end - at, err: err})
		return
	}
	p.stream = s
	for at < end && at < want.to {
		var b []byte
		select {
		case b = <-free:
		case <-p.quit:
			return
		}
		b = b[:min(int64(cap(b)), end-at)]
		n, err := io.ReadFull(s.decoder, b)
		if n > 0 && !p.send(out, chunk{at: at, size: int64(n), b: b[:n]}) {
			return
		}
		at += int64(n)
		if err != nil {
			p.send(out, chunk{at: at, size: end - at, err: s.src.damage(err)})
			return
		}
	}
	if at < end {
		return
	}
	if changed, err := s.finish(); err != nil || changed {
		p.send(out, chunk{at: t.decompressedAt[i], size: end - t.decompressedAt[i], changed: changed, err: err})
	}
}

func (p *chunks) send(out chan<- chunk, next chunk) bool {
	select {
	case out <- next:
		return true
	case <-p.quit:
		return false
	}
}

// solidStream is a frame being decoded as a stream.
type solidStream struct {
	src     *trackedReader
	sum     *sumReader
	frame   frame
	want    *uint32 // nil: not compared
	decoder *zstd.Decoder
}

// sumReader computes the CRC-32C of the bytes read and tracks the frame.
type sumReader struct {
	r   io.Reader
	crc uint32
	one oneFrame
}

func (s *sumReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.crc = crc32.Update(s.crc, castagnoli(), p[:n])
	if bad := s.one.write(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// openSolid starts to decode a frame as a stream. It reuses the decoder of a
// finished stream, if there is one, because its window takes 128 MiB.
func (r *Reader) openSolid(i int, sums []uint32, used *solidStream) (*solidStream, error) {
	f, at := r.table.frames[i], r.table.at[i]
	start := make([]byte, min(int64(f.compressed), maxHeader))
	if err := readAt(r.src, start, at); err != nil {
		return nil, err
	}
	if err := checkHeader(start, f); err != nil {
		return nil, err
	}
	s := &solidStream{frame: f}
	if sums != nil {
		s.want = &sums[i]
	}
	s.sum = &sumReader{r: io.NewSectionReader(r.src, at, int64(f.compressed))}
	s.src = &trackedReader{r: s.sum}
	in := bufio.NewReaderSize(s.src, solidBuffer)
	var err error
	if used == nil {
		s.decoder, err = newStreamDecoder(in, maxWindow)
		return s, err
	}
	s.decoder = used.decoder
	if err := s.decoder.Reset(in); err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	return s, nil
}

// Read sizes in bytes: the longest frame header with its first block header, and
// one read of a frame decoded as a stream.
const (
	maxHeader   = 18
	solidBuffer = 512 << 10
)

// finish reads to the end of the frame, where its checksum is compared.
func (s *solidStream) finish() (changed bool, err error) {
	n, err := io.CopyN(io.Discard, s.decoder, 1)
	if n > 0 {
		return false, damage("a frame has more content than the seek table says")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, s.src.damage(err)
	}
	// The decoder asks for more at the end of a frame, so all of it has passed.
	if err := s.sum.one.end(s.frame, s.want != nil); err != nil {
		return false, err
	}
	return s.want != nil && s.sum.crc != *s.want, nil
}
