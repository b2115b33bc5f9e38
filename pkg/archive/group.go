package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"kubecrate/pkg/progress"
)

// GroupCache keeps the frames of groups between builds. A key consists of letters,
// digits, dots and dashes. Open returns an error that is fs.ErrNotExist if there
// is no entry. Forget removes every key that was opened.
type GroupCache interface {
	Open(key string) (io.ReadSeekCloser, error)
	Create(key string) (CacheEntry, error)
	Forget() error
}

// CacheEntry is an entry being written: Commit makes it visible, Abort discards
// it.
type CacheEntry interface {
	io.Writer
	Commit() error
	Abort() error
}

// solidJob is a group: members with their tar headers in frames of up to 1
// GiB and a window of 128 MiB. Groups are compressed one at a time, as a stream,
// since two such encoders would take 600 MB.
type solidJob struct {
	b       *builder
	entries []Entry
}

func (*solidJob) release(*Packer) {}

// key identifies the frames of a group by everything that they depend on.
func (w *solidJob) key() string {
	h := sha256.New()
	for _, e := range w.entries {
		h.Write(header(e.Artifact))
		h.Write([]byte(e.SHA256))
	}
	return fmt.Sprintf("group-%s-w%d-%x", w.b.o.Level.Encoding(), w.b.packer.scheme.solid>>20, h.Sum(nil))
}

// size is the length of the group in the tar stream.
func (w *solidJob) size() (n int64) {
	for _, e := range w.entries {
		n += headerSize(e.Artifact) + roundUp(e.Size)
	}
	return n
}

func (w *solidJob) write(ctx context.Context, to *frameWriter) error {
	cache := w.b.o.Groups
	if cache == nil {
		_, err := w.encode(ctx, to, to.w)
		return err
	}
	if cached := w.cached(ctx, cache); cached != nil {
		defer cached.release(nil)
		return cached.write(ctx, to)
	}
	entry, err := cache.Create(w.key())
	if err != nil {
		return err
	}
	compressed, err := w.encode(ctx, to, io.MultiWriter(to.w, entry))
	if err == nil {
		_, err = entry.Write(compressed.footer())
	}
	if err != nil {
		return errors.Join(err, entry.Abort())
	}
	return entry.Commit()
}

// cached opens the cached frames of this group, nil if there are no intact ones.
func (w *solidJob) cached(ctx context.Context, cache GroupCache) *copyJob {
	f, err := cache.Open(w.key())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.warn(err)
		}
		return nil
	}
	p, err := readPacked(f)
	if err == nil && p.Size != w.size() {
		err = fmt.Errorf("%w: %d bytes, not %d", errPacked, p.Size, w.size())
	}
	if err == nil {
		err = p.check(ctx, f)
	}
	if err != nil {
		_ = f.Close() // it was only read
		w.warn(err)
		return nil
	}
	return &copyJob{file: f, compressed: p}
}

func (w *solidJob) warn(err error) {
	w.b.o.Report.Report(progress.Event{
		Kind: progress.Warn, Stage: stage, Task: w.entries[0].Path,
		Text: fmt.Sprintf("compressing its group again: %v", err),
	})
}

// encode compresses the group to out and records its frames in to.
func (w *solidJob) encode(ctx context.Context, to *frameWriter, out io.Writer) (Packed, error) {
	cut := &frameCutter{to: to, out: &tailWriter{w: out}, sum: sha256.New(), sizes: w.frameSizes()}
	var err error
	if cut.encoder, err = w.b.solidEncoder(); err != nil {
		return Packed{}, err
	}
	for _, e := range w.entries {
		if err := w.member(ctx, cut, e); err != nil {
			return Packed{}, fmt.Errorf("member %s: %w", e.Path, err)
		}
	}
	return Packed{Size: w.size(), SHA256: hex.EncodeToString(cut.sum.Sum(nil)), frames: cut.frames}, nil
}

// solidEncoder is the encoder of all groups, created when first needed: a second
// one would allocate its memory before that of the first is freed. Its window is
// the smallest power of two that holds the largest group, up to the level's own,
// since it takes twice that in memory; a window larger than a group does not
// change the output.
func (b *builder) solidEncoder() (*zstd.Encoder, error) {
	if b.solid != nil {
		return b.solid, nil
	}
	sizes := map[string]int64{}
	window, least := b.packer.scheme.solid, 1<<20
	var largest int64
	for i, g := range b.groups {
		if g != "" {
			sizes[g] += headerSize(b.entries[i].Artifact) + roundUp(b.entries[i].Size)
			largest = max(largest, sizes[g])
		}
	}
	for window/2 >= least && int64(window/2) >= largest {
		window /= 2
	}
	options := append(b.packer.scheme.encoderOptions(window), solidOptions()...)
	e, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot compress: %w", err)
	}
	b.solid = e
	return e, nil
}

// member writes header, content and padding of e.
func (w *solidJob) member(ctx context.Context, to io.Writer, e Entry) error {
	if _, err := to.Write(header(e.Artifact)); err != nil {
		return err
	}
	err := w.b.withContent(e, func(r io.Reader) error {
		buf := make([]byte, 1<<20)
		for {
			n, err := readFull(ctx, r, buf)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if _, werr := to.Write(buf[:n]); werr != nil {
				return werr
			}
			if err != nil {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	_, err = to.Write(make([]byte, roundUp(e.Size)-e.Size))
	return err
}

// frameSizes returns where the group is split into frames: before a member that
// no longer fits into maxFrame, and within a member larger than maxFrame.
func (w *solidJob) frameSizes() []int64 {
	var sizes []int64
	var open int64
	for _, e := range w.entries {
		n := headerSize(e.Artifact) + roundUp(e.Size)
		if open > 0 && open+n > maxFrame {
			sizes = append(sizes, open)
			open = 0
		}
		for open += n; open > maxFrame; open -= maxFrame {
			sizes = append(sizes, maxFrame)
		}
	}
	return append(sizes, open)
}

// solidOptions are the options for a stream with a large window: in low-memory
// mode the encoder would move the whole window for every block.
func solidOptions() []zstd.EOption {
	return []zstd.EOption{zstd.WithLowerEncoderMem(false), zstd.WithEncoderConcurrency(2)}
}

// frameCutter compresses what is written to it into frames of given sizes. The
// size of a frame is in its header, so it has to be known in advance.
type frameCutter struct {
	to      *frameWriter
	out     *tailWriter
	encoder *zstd.Encoder
	sum     hash.Hash
	frames  []frame
	sizes   []int64 // of the frames to come, the open one first
	open    bool
	left    int64 // of the open frame
}

func (c *frameCutter) Write(p []byte) (int, error) {
	c.sum.Write(p)
	for rest := p; len(rest) > 0; {
		if !c.open {
			c.out.reset()
			c.encoder.ResetContentSize(c.out, c.sizes[0])
			c.open, c.left = true, c.sizes[0]
		}
		part := rest[:min(int64(len(rest)), c.left)]
		if _, err := c.encoder.Write(part); err != nil {
			return 0, err
		}
		rest = rest[len(part):]
		if c.left -= int64(len(part)); c.left == 0 {
			if err := c.endFrame(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (c *frameCutter) endFrame() error {
	if err := c.encoder.Close(); err != nil {
		return err
	}
	f := frame{
		compressed:   uint32(c.out.n),    //nolint:gosec // little more than maxFrame
		decompressed: uint32(c.sizes[0]), //nolint:gosec // at most maxFrame
		sum:          tailSum(c.out.last[:]),
		crc:          c.out.crc,
	}
	c.frames = append(c.frames, f)
	c.sizes, c.open = c.sizes[1:], false
	return c.to.wrote(f)
}

// tailWriter counts what it passes on, sums it up and keeps the last 4 bytes.
type tailWriter struct {
	w    io.Writer
	n    int64
	crc  uint32
	last [4]byte
}

func (t *tailWriter) reset() { t.n, t.crc = 0, 0 }

func (t *tailWriter) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.n += int64(n)
	t.crc = crc32.Update(t.crc, castagnoli(), p[:n])
	for _, c := range p[max(0, n-len(t.last)):n] {
		copy(t.last[:], t.last[1:])
		t.last[len(t.last)-1] = c
	}
	return n, err
}
