package archive

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// decoderPool holds the decoders of solid frames, each at the offset where it can
// continue. Such a frame can only be decoded from its start, and every decoder
// holds a window of up to 128 MiB: so there are at most two, shared by all files,
// and the decoder of a finished file is reused for the next file. A decoder is
// held for one read; a file whose decoder was taken meanwhile starts over.
type decoderPool struct {
	r    *Reader
	mu   sync.Mutex
	idle *sync.Cond
	all  []*pooledDecoder
	tick int64
}

// maxDecoders bounds the memory of decoders of solid frames.
const maxDecoders = 2

// pooledDecoder is a decoder of a solid frame at offset at of the tar stream.
// owner is the file that used it last and may use it again.
type pooledDecoder struct {
	frame  int
	at     int64
	stream *solidStream
	owner  *file
	busy   bool
	used   int64
}

func newDecoderPool(r *Reader) *decoderPool {
	c := &decoderPool{r: r}
	c.idle = sync.NewCond(&c.mu)
	return c
}

// readAt fills b from offset at of the tar stream, which lies in a solid frame
// together with the end of b.
func (c *decoderPool) readAt(owner *file, frame int, b []byte, at int64) error {
	cur := c.take(owner, frame, at)
	err := c.use(cur, frame, b, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	cur.busy = false
	if err != nil {
		cur.close()
	}
	c.idle.Broadcast()
	return err
}

// use moves cur to at and reads. It is called without the lock, by the goroutine
// that took cur.
func (c *decoderPool) use(cur *pooledDecoder, frame int, b []byte, at int64) error {
	if cur.stream == nil || cur.frame != frame || cur.at > at {
		s, err := c.r.openSolid(frame, nil, cur.stream)
		if err != nil {
			return err
		}
		cur.stream, cur.frame, cur.at = s, frame, c.r.table.decompressedAt[frame]
	}
	n, err := io.CopyN(io.Discard, cur.stream.decoder, at-cur.at)
	cur.at += n
	if err == nil {
		n, err := io.ReadFull(cur.stream.decoder, b)
		cur.at += int64(n)
		if err == nil {
			return nil
		}
		return cur.stream.src.damage(err)
	}
	return cur.stream.src.damage(err)
}

// take returns the nearest available decoder for owner.
func (c *decoderPool) take(owner *file, frame int, at int64) *pooledDecoder {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if best := c.best(owner, frame, at); best != nil {
			c.tick++
			best.busy, best.owner, best.used = true, owner, c.tick
			return best
		}
		c.idle.Wait()
	}
}

// best chooses, in this order: the owner's own decoder, a free one before that
// offset, any free one, a new one, the one unused for the longest time.
func (c *decoderPool) best(owner *file, frame int, at int64) *pooledDecoder {
	var best *pooledDecoder
	bestRank := 0
	for _, cur := range c.all {
		if cur.busy {
			continue
		}
		rank := 1
		switch reachable := cur.stream != nil && cur.frame == frame && cur.at <= at; {
		case owner != nil && cur.owner == owner:
			rank = 5
		case cur.owner == nil && reachable:
			rank = 4
		case cur.owner == nil:
			rank = 2
		}
		if best == nil || rank > bestRank || rank == bestRank && cur.used < best.used {
			best, bestRank = cur, rank
		}
	}
	if bestRank <= 1 && len(c.all) < maxDecoders {
		best = &pooledDecoder{}
		c.all = append(c.all, best)
	}
	return best
}

// leave frees the decoder of owner, which reads no more.
func (c *decoderPool) leave(owner *file) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cur := range c.all {
		if cur.owner == owner {
			cur.owner = nil
		}
	}
}

// close releases the decoder and its window.
func (cur *pooledDecoder) close() {
	if cur.stream != nil {
		cur.stream.decoder.Close()
		cur.stream = nil
	}
}

// release closes all decoders that are not in use.
func (c *decoderPool) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cur := range c.all {
		if !cur.busy {
			cur.close()
		}
	}
}

// readRange fills b from offset at of the tar stream.
func (r *Reader) readRange(owner *file, b []byte, at int64) error {
	for i := r.table.find(at); len(b) > 0; i++ {
		if i == len(r.table.frames) {
			return damage("a member reaches beyond the frames")
		}
		start, end := r.table.decompressedAt[i], r.table.decompressedAt[i+1]
		part := b[:min(int64(len(b)), end-at)]
		if err := r.readFrame(owner, i, part, at-start); err != nil {
			return err
		}
		b, at = b[len(part):], end
	}
	return nil
}

// readFrame fills b from an offset within frame i.
func (r *Reader) readFrame(owner *file, i int, b []byte, from int64) error {
	f := r.table.frames[i]
	if !f.plain() {
		return r.solid.readAt(owner, i, b, r.table.decompressedAt[i]+from)
	}
	if f.decompressed <= sharedFrame || owner.member.Size <= inMemory {
		decompressed, err := r.sharedFrame(i)
		if err == nil {
			copy(b, decompressed[from:])
		}
		return err
	}
	decompressed, err := owner.frame(i)
	if err == nil {
		copy(b, decompressed[from:])
	}
	return err
}

// nameDamage adds the name of the member to err; nil stays nil.
func (r *Reader) nameDamage(path string, err error) error {
	var d *DamageError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &d):
		return fmt.Errorf("member %s: %w", path, err)
	case d.Path == "":
		return hinted(&DamageError{Path: path, Reason: d.Reason}, r.src)
	}
	return err
}
