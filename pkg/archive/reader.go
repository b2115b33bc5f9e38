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
// The content of every member is compared with its SHA-256 in the index: a
// sequential read of a damaged member ends with a *DamageError instead of io.EOF,
// and random access (ReadAt, a Read after Seek) hashes the whole member first and
// returns only bytes that were hashed. Members up to 1 MiB are hashed before their
// first byte is returned. So an archive that is replaced while it is read is
// detected like a damaged one. The index itself is as trustworthy as its source,
// see IndexBytes, and is read once, by Open.
//
// Memory depends on the number of open files: a file of a large member holds up to
// four frames of 8 or 16 MiB, a solid frame a window of 128 MiB, of which there
// are at most two.
type Reader struct {
	src     io.ReaderAt
	table   *table
	index   *Index
	text    []byte
	members map[string]int
	proofs  []atomic.Pointer[proof] // of verified members
	dirs    map[string][]fs.DirEntry
	damage  error // why the table was rebuilt, see Recover

	decoder *zstd.Decoder // for whole frames
	buffers buffers
	solid   *decoderPool
	shared  sharedFrames
}

// Open reads the seek table and the index of an archive of size bytes and first
// checks that they agree with each other. Errors in the data are *DamageError or
// wrap ErrVersion.
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

// newReader reads the index that t locates.
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
		return nil, nil, damage("index.json is not the first member")
	}
	b, err := r.decode(0, nil)
	if err != nil {
		return nil, nil, err
	}
	return splitIndex(b)
}

// splitIndex parses b, which is index.json with its tar header and nothing else.
func splitIndex(b []byte) (*Index, []byte, error) {
	if len(b) < blockSize {
		return nil, nil, damage("index.json is not the first member")
	}
	size := int64(len(b) - blockSize)
	if size > maxIndex || !bytes.Equal(b[:blockSize], header(indexArtifact(size))) {
		return nil, nil, damage("the tar header of index.json has changed")
	}
	text := bytes.Clone(b[blockSize:])
	idx, err := decodeIndex(text)
	return idx, text, err
}

// checkLayout compares the end of the last member with that of the frames.
func (r *Reader) checkLayout() error {
	want := contentEnd(r.index, int64(len(r.text))) + 2*blockSize
	if got := r.table.total(); got != want {
		return damage("the seek table describes %d bytes of members, index.json lists %d", got, want)
	}
	return nil
}

// Index returns the content of index.json. It must not be modified.
func (r *Reader) Index() *Index { return r.index }

// IndexBytes returns index.json byte for byte: what a signature covers. It must not
// be modified.
func (r *Reader) IndexBytes() []byte { return r.text }

// Release frees the memory of decoders that are not in use.
func (r *Reader) Release() { r.solid.release() }

// Size is the length of the archive in bytes, compressed.
func (r *Reader) Size() int64 { return r.table.size }

// Offset is where the content of the named member starts in the tar stream, in
// bytes; ok is false if there is no such member. Several members are read fastest
// in the order of their offsets.
func (r *Reader) Offset(name string) (offset int64, ok bool) {
	i, ok := r.members[name]
	if !ok {
		return 0, false
	}
	return r.index.Members[i].Offset, true
}

// sharedFrames caches decoded frames of small members: the last few small frames,
// and in the last slot one of any size.
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
