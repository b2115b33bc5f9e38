package archive

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// Reader reads an archive. It is an fs.FS of its members and index.json, with
// ReadDir, Stat and ReadFile; directories follow from the paths. Its methods
// are safe for concurrent use.
//
// No content of a member is taken as read before its SHA-256 was compared with
// the index: a sequential read ends with a *DamageError in place of io.EOF, and
// whatever jumps within a member (ReadAt, a Read after Seek) is answered only
// after the member was hashed once, with what was hashed then. Members up to 1
// MiB are hashed before their first byte is returned. So an archive that is
// replaced while it is read is found like one that is damaged. The index itself
// is as good as its source, see IndexBytes, and is read once, by Open.
//
// Memory is bounded by what was asked for at once: a file of a large member
// holds up to four frames of 8 or 16 MiB, a solid frame a window of 128 MiB,
// of which there are never more than two.
type Reader struct {
	src     io.ReaderAt
	table   *table
	index   *Index
	text    []byte
	members map[string]int
	proofs  []atomic.Pointer[proof] // of members whose hash was right
	dirs    map[string][]fs.DirEntry
	damage  error // why the table is not the archive's own, see Recover

	decoder *zstd.Decoder // for whole frames
	buffers buffers
	solid   *decoderPool
	shared  sharedFrames
}

// Open reads the seek table and the index of an archive of size bytes and
// checks that they agree with each other, before anything else is believed.
// Errors of what it read are *DamageError or wrap ErrVersion.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	t, err := readTable(r, size)
	if err != nil {
		return nil, fmt.Errorf("cannot open archive: %w", hinted(err, r))
	}
	a, err := newReader(r, t)
	if err == nil {
		err = a.checkLayout()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open archive: %w", hinted(err, r))
	}
	return a, nil
}

// newReader reads the index that t leads to.
func newReader(src io.ReaderAt, t *table) (*Reader, error) {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxWindow(maxWindow),
		zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("cannot decompress: %w", err)
	}
	r := &Reader{src: src, table: t, decoder: decoder}
	r.solid = newDecoderPool(r)
	if r.index, r.text, err = r.readIndex(); err != nil {
		return nil, err
	}
	r.proofs = make([]atomic.Pointer[proof], len(r.index.Members))
	r.members = make(map[string]int, len(r.index.Members))
	for i, m := range r.index.Members {
		r.members[m.Path] = i
	}
	r.dirs = directories(r.index.Members, int64(len(r.text)))
	return r, nil
}

// readIndex decodes the first frame, which holds index.json and nothing else.
func (r *Reader) readIndex() (*Index, []byte, error) {
	if len(r.table.frames) == 0 || r.table.frames[0].decompressed > maxIndex+blockSize {
		return nil, nil, damage("index.json is not where it should be")
	}
	b, err := r.decode(0, nil)
	if err != nil {
		return nil, nil, err
	}
	return splitIndex(b)
}

// splitIndex reads index.json with its tar header, which are all of b.
func splitIndex(b []byte) (*Index, []byte, error) {
	if len(b) < blockSize {
		return nil, nil, damage("index.json is not where it should be")
	}
	size := int64(len(b) - blockSize)
	if size > maxIndex || !bytes.Equal(b[:blockSize], header(indexArtifact(size))) {
		return nil, nil, damage("the tar header of index.json is not as it was written")
	}
	text := bytes.Clone(b[blockSize:])
	idx, err := decodeIndex(text)
	return idx, text, err
}

// checkLayout compares the end of the last member with that of the frames.
func (r *Reader) checkLayout() error {
	want := contentEnd(r.index, int64(len(r.text))) + 2*blockSize
	if got := r.table.total(); got != want {
		return damage("the seek table describes %d bytes of members, index.json %d", got, want)
	}
	return nil
}

// Index is what index.json says. It must not be changed.
func (r *Reader) Index() *Index { return r.index }

// IndexBytes is index.json as it stands in the archive: what a signature
// covers. It must not be changed.
func (r *Reader) IndexBytes() []byte { return r.text }

// Release gives up the memory of decoders that nobody is reading with.
func (r *Reader) Release() { r.solid.release() }

// Size is the length of the archive in bytes, compressed.
func (r *Reader) Size() int64 { return r.table.size }

// Offset is where the content of the named member starts in the tar stream, in
// bytes; ok is false where there is no such member. Whoever reads several
// members is fastest in the order of their offsets.
func (r *Reader) Offset(name string) (offset int64, ok bool) {
	i, ok := r.members[name]
	if !ok {
		return 0, false
	}
	return r.index.Members[i].Offset, true
}

// sharedFrames keeps the frames of small members decoded: the last few small
// ones, and in the last slot one of any size.
type sharedFrames struct {
	mu           sync.Mutex
	number       [5]int
	decompressed [5][]byte
	next         int
}

// sharedFrame returns the content of a whole frame, which must not be changed.
func (r *Reader) sharedFrame(i int) ([]byte, error) {
	s := &r.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, decompressed := range s.decompressed {
		if decompressed != nil && s.number[k] == i {
			return decompressed, nil
		}
	}
	decompressed, err := r.decode(i, nil)
	if err != nil {
		return nil, err
	}
	slot, last := s.next, len(s.decompressed)-1
	if len(decompressed) > sharedFrame {
		slot = last
	} else {
		s.next = (s.next + 1) % last
	}
	s.number[slot], s.decompressed[slot] = i, decompressed
	return decompressed, nil
}
