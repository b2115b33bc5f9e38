package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"sync"
)

// inMemory is the size in bytes up to which a member is read and hashed
// completely before any of it is returned.
const inMemory = 1 << 20

// open returns a member for reading.
func (r *Reader) open(i int) fs.File {
	m := r.index.Members[i]
	f := &file{r: r, number: i, member: m, info: memberInfo(m)}
	if m.Size <= inMemory {
		return &smallFile{file: f}
	}
	return f
}

// load reads a small member and checks its hash.
func (r *Reader) load(owner *file) ([]byte, error) {
	m := owner.member
	b := make([]byte, m.Size)
	if err := r.readRange(owner, b, m.Offset); err != nil {
		return nil, r.nameDamage(m.Path, err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != m.SHA256 {
		return nil, r.wrongHash(m)
	}
	return b, nil
}

func (r *Reader) wrongHash(m Member) error {
	return hinted(&DamageError{Path: m.Path, Reason: "its content does not match the SHA-256 in the index"}, r.src)
}

// file is a large member, open. It implements io.ReaderAt and io.Seeker.
type file struct {
	r      *Reader
	number int
	member Member
	info   info

	mu             sync.Mutex        // guards the fields below
	pos            int64             // of the next Read, within the member
	seq            *sequentialReader // from the start up to pos, nil after a Seek
	decompressed   []byte            // of the frame decompressedOf, for random access
	decompressedOf int
	part           []byte // the verified part partOf
	partOf         int64
	closed         bool
}

// Stat describes the member.
func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read implements io.Reader. If the hash is wrong, the last bytes come with the error.
func (f *file) Read(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return 0, f.pathError("read", fs.ErrClosed)
	case len(b) == 0:
		return 0, nil
	case f.pos == 0 && f.seq == nil:
		f.seq = f.r.sequentialReader(f)
	}
	if f.seq != nil && f.seq.done == f.pos {
		n, err := f.seq.read(b)
		f.pos += int64(n)
		return n, err
	}
	n, err := f.readAt(b, f.pos)
	f.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.pathError("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.member.Size
	default:
		return 0, f.pathError("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.pathError("seek", fs.ErrInvalid)
	}
	if f.pos = offset; offset == 0 {
		f.stop()
	}
	return offset, nil
}

// ReadAt implements io.ReaderAt. The whole member is hashed first; ReadAt returns
// only bytes that were hashed then, see proof.
func (f *file) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, f.pathError("read", fs.ErrClosed)
	}
	return f.readAt(b, offset)
}

func (f *file) readAt(b []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, f.pathError("read", fs.ErrInvalid)
	}
	p, err := f.prove()
	if err != nil {
		return 0, err
	}
	done := 0
	for done < len(b) {
		at := offset + int64(done)
		if at >= f.member.Size {
			return done, io.EOF
		}
		part, err := f.provenPart(p, at/partSize)
		if err != nil {
			return done, f.r.nameDamage(f.member.Path, err)
		}
		done += copy(b[done:], part[at%partSize:])
	}
	return done, nil
}

// frame returns the content of a whole frame and caches the last one.
func (f *file) frame(i int) ([]byte, error) {
	if f.decompressed != nil && f.decompressedOf == i {
		return f.decompressed, nil
	}
	f.r.buffers.put(f.decompressed)
	f.decompressed = nil
	decompressed, err := f.r.decode(i, nil)
	if err == nil {
		f.decompressed, f.decompressedOf = decompressed, i
	}
	return decompressed, err
}

// Close releases the resources of the file.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.pathError("close", fs.ErrClosed)
	}
	f.closed = true
	f.stop()
	f.r.solid.leave(f)
	f.r.buffers.put(f.decompressed)
	f.decompressed = nil
	return nil
}

func (f *file) stop() {
	if f.seq != nil {
		f.seq.stop()
		f.seq = nil
	}
}

func (f *file) pathError(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.member.Path, Err: err}
}

// smallFile is a member that is read and hashed completely at the first read. It
// implements io.ReaderAt and io.Seeker.
type smallFile struct {
	*file
	content *bytes.Reader // nil: not read yet
}

// ready reads the member once; f.mu is held.
func (f *smallFile) ready(op string) error {
	if f.closed {
		return f.pathError(op, fs.ErrClosed)
	}
	if f.content != nil {
		return nil
	}
	b, err := f.r.load(f.file)
	if err != nil {
		return err
	}
	f.content = bytes.NewReader(b)
	return nil
}

// Read implements io.Reader.
func (f *smallFile) Read(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ready("read"); err != nil {
		return 0, err
	}
	return f.content.Read(b)
}

// ReadAt implements io.ReaderAt.
func (f *smallFile) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ready("read"); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, f.pathError("read", fs.ErrInvalid)
	}
	return f.content.ReadAt(b, offset)
}

// Seek implements io.Seeker.
func (f *smallFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ready("seek"); err != nil {
		return 0, err
	}
	n, err := f.content.Seek(offset, whence)
	if err != nil {
		return 0, f.pathError("seek", fs.ErrInvalid)
	}
	return n, nil
}
