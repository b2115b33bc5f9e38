package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Packed describes what Pack wrote. Size and SHA256 are those of the content,
// Compressed is the size of the frames without the footer, all in bytes.
type Packed struct {
	Size       int64
	SHA256     string
	Compressed int64
	frames     []frame
}

// The footer of a packed file: an entry per frame, then a tail, in a skippable
// frame. See doc.go.
const (
	packedMagic = "KCPACKED"
	packedEntry = 16
	packedTail  = 8 + sha256.Size + 4 + 4 + len(packedMagic)
)

// errPacked is wrapped by every error for a packed file that differs from what
// Pack wrote: a damaged cache.
var errPacked = errors.New("cached frames have changed")

// Pack compresses r into frames and writes them to w, with a footer: a valid zstd
// file that Create can copy into any number of archives. The same content and
// Level.Encoding produce the same bytes.
func (p *Packer) Pack(ctx context.Context, w io.Writer, r io.Reader) (Packed, error) {
	sum := sha256.New()
	to := &frameWriter{w: w}
	var size int64
	err := p.run(ctx, to, func(ctx context.Context, l *pipeline) (err error) {
		size, err = l.content(ctx, io.TeeReader(r, sum))
		return err
	})
	if err != nil {
		return Packed{}, fmt.Errorf("cannot compress: %w", err)
	}
	done := Packed{Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)), frames: to.frames}
	for _, f := range to.frames {
		done.Compressed += int64(f.compressed)
	}
	if _, err := w.Write(done.footer()); err != nil {
		return Packed{}, fmt.Errorf("cannot write compressed frames: %w", err)
	}
	return done, nil
}

func (p Packed) footer() []byte {
	b := make([]byte, 0, packedEntry*len(p.frames)+packedTail)
	for _, f := range p.frames {
		for _, v := range []uint32{f.compressed, f.decompressed, f.sum, f.crc} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Size)) //nolint:gosec // never negative
	sum, _ := hex.DecodeString(p.SHA256)                    // made by hex.EncodeToString
	b = append(b, sum...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.frames))) //nolint:gosec // at most maxFrames
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
	return skippable(packedNumber, append(b, packedMagic...))
}

// ReadPacked reads the footer of a packed file, which describes the content. After
// an error the file is unusable: pack again.
func ReadPacked(r io.ReadSeeker) (Packed, error) {
	p, err := readPacked(r)
	if err != nil {
		return Packed{}, fmt.Errorf("cannot use packed file: %w", err)
	}
	return p, nil
}

func readPacked(r io.ReadSeeker) (Packed, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return Packed{}, err
	}
	tail := make([]byte, packedTail)
	if size < int64(skippableHeader+packedTail) {
		return Packed{}, fmt.Errorf("%w: no footer", errPacked)
	}
	if err := readFrom(r, size-int64(packedTail), tail); err != nil {
		return Packed{}, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[8+sha256.Size:]))
	length := skippableHeader + n*packedEntry + int64(packedTail)
	if string(tail[packedTail-len(packedMagic):]) != packedMagic || n > maxFrames || length > size {
		return Packed{}, fmt.Errorf("%w: no footer", errPacked)
	}
	b := make([]byte, length)
	if err := readFrom(r, size-length, b); err != nil {
		return Packed{}, err
	}
	return decodePacked(b, size-length)
}

// decodePacked parses a footer; frames is the number of bytes before it.
func decodePacked(b []byte, frames int64) (Packed, error) {
	crcAt := len(b) - len(packedMagic) - 4
	if !isSkippable(b, packedNumber) || crc32.Checksum(b[skippableHeader:crcAt], castagnoli()) != binary.LittleEndian.Uint32(b[crcAt:]) {
		return Packed{}, fmt.Errorf("%w: the footer", errPacked)
	}
	tail := b[len(b)-packedTail:]
	p := Packed{
		Size:   int64(binary.LittleEndian.Uint64(tail)), //nolint:gosec // compared with the frames below
		SHA256: hex.EncodeToString(tail[8 : 8+sha256.Size]),
	}
	var decompressed int64
	for e := b[skippableHeader : len(b)-packedTail]; len(e) > 0; e = e[packedEntry:] {
		u := binary.LittleEndian.Uint32
		f := frame{compressed: u(e), decompressed: u(e[4:]), sum: u(e[8:]), crc: u(e[12:])}
		if f.decompressed == 0 || f.decompressed > maxFrame || f.compressed < minFrame || int64(f.compressed) > compressedBound(int64(f.decompressed)) {
			return Packed{}, fmt.Errorf("%w: a frame of %d bytes for %d bytes of content", errPacked, f.compressed, f.decompressed)
		}
		p.frames = append(p.frames, f)
		p.Compressed += int64(f.compressed)
		decompressed += int64(f.decompressed)
	}
	if p.Compressed != frames || p.Size < 0 || decompressed != roundUp(p.Size) {
		return Packed{}, fmt.Errorf("%w: sizes do not add up", errPacked)
	}
	return p, nil
}

func readFrom(r io.ReadSeeker, offset int64, b []byte) error {
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("cannot read its end: %w", err)
	}
	return nil
}

// check reads the frames and compares them with their checksums. Afterwards r is
// at the first frame.
func (p Packed) check(ctx context.Context, r io.ReadSeeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := p.copyTo(ctx, r, nil); err != nil {
		return err
	}
	_, err := r.Seek(0, io.SeekStart)
	return err
}

// copyTo copies the frames of r to to, unless that is nil, and compares them with
// their checksums.
func (p Packed) copyTo(ctx context.Context, r io.Reader, to *frameWriter) error {
	buf := make([]byte, 1<<20)
	for i, f := range p.frames {
		var sum uint32
		for left := int64(f.compressed); left > 0; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			part := buf[:min(left, int64(len(buf)))]
			if _, err := io.ReadFull(r, part); err != nil {
				return fmt.Errorf("cannot read frame %d: %w", i+1, err)
			}
			sum = crc32.Update(sum, castagnoli(), part)
			left -= int64(len(part))
			if to != nil {
				if _, err := to.w.Write(part); err != nil {
					return err
				}
			}
		}
		if sum != f.crc {
			return fmt.Errorf("%w: frame %d of %d", errPacked, i+1, len(p.frames))
		}
		if to != nil {
			if err := to.wrote(f); err != nil {
				return err
			}
		}
	}
	return nil
}
