package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// frameWriter writes frames and records them for a table. advance, if not nil, is
// called with the content size of every frame.
type frameWriter struct {
	w       io.Writer
	frames  []frame
	advance func(bytes int64)
}

// frame writes a frame.
func (f *frameWriter) frame(compressed []byte, entry frame) error {
	if _, err := f.w.Write(compressed); err != nil {
		return err
	}
	return f.wrote(entry)
}

// wrote records a frame whose bytes are already written to f.w.
func (f *frameWriter) wrote(entry frame) error {
	if len(f.frames) >= maxFrames-1 {
		return fmt.Errorf("cannot write more than %d frames", maxFrames-1)
	}
	f.frames = append(f.frames, entry)
	if f.advance != nil {
		f.advance(int64(entry.decompressed))
	}
	return nil
}

// hashWriter hashes what it passes on, in a separate goroutine, so that a copy
// runs at the speed of the slower of the two. It must be closed.
type hashWriter struct {
	w     io.Writer
	n     int64
	sum   hash.Hash
	parts *partHasher // gets everything too, may be nil
	full  chan *bytes.Buffer
	empty chan *bytes.Buffer
	done  chan struct{}
}

func newHashWriter(w io.Writer) *hashWriter {
	const buffers = 2
	h := &hashWriter{
		w: w, sum: sha256.New(), done: make(chan struct{}),
		full: make(chan *bytes.Buffer, buffers), empty: make(chan *bytes.Buffer, buffers),
	}
	for range buffers {
		h.empty <- new(bytes.Buffer)
	}
	go func() {
		defer close(h.done)
		for b := range h.full {
			h.sum.Write(b.Bytes())
			if h.parts != nil {
				h.parts.write(b.Bytes())
			}
			h.empty <- b
		}
	}()
	return h
}

func (h *hashWriter) Write(p []byte) (int, error) {
	const chunk = 1 << 20
	for rest := p; len(rest) > 0; {
		b := <-h.empty
		b.Reset()
		n := min(len(rest), chunk)
		b.Write(rest[:n])
		h.full <- b
		rest = rest[n:]
	}
	n, err := h.w.Write(p)
	h.n += int64(n)
	return n, err
}

// close ends the goroutine and returns the hash in hex.
func (h *hashWriter) close() string {
	close(h.full)
	<-h.done
	return hex.EncodeToString(h.sum.Sum(nil))
}
