package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"kubecrate/pkg/progress"
)

// Source holds the files of an archive, opened once: the same bytes are hashed,
// verified, signed and read, even if the names change. After Digest it returns only
// bytes that Digest has hashed; others are damage.
type Source struct {
	path string // argument of OpenSource, for messages
	base string
	v    *volumes

	exchanged atomic.Bool // content changed between two reads

	mu     sync.Mutex // guards the fields below
	sums   [][sha256.Size]byte
	recent []block
	next   int
}

// block is partSize verified bytes.
type block struct {
	number int64
	b      []byte
}

// FileDigest is a file of an archive and the hash of all its bytes.
type FileDigest struct {
	Name   string // without a directory
	Size   int64
	SHA256 string
	Tap    io.Writer // result of Digest's tap, nil for none
}

// Digests are those of every file of an archive, and of the whole.
type Digests struct {
	Files  []FileDigest
	SHA256 string
}

// OpenSource opens the files of the archive at path, like OpenPath.
func OpenSource(path string) (*Source, error) {
	base, files, err := filesOf(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	v, err := openVolumes(files)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return &Source{path: path, base: base, v: v}, nil
}

// Base is the path that the names of the sidecars begin with.
func (s *Source) Base() string { return s.base }

// Size is the length of the archive in bytes, of all volumes together.
func (s *Source) Size() int64 { return s.v.size() }

// Close closes the files.
func (s *Source) Close() error { return s.v.Close() }

// Reader opens the archive like Open.
func (s *Source) Reader() (*Reader, error) { return s.reader(Open) }

// Recover opens the archive like the function Recover.
func (s *Source) Recover() (*Reader, error) { return s.reader(Recover) }

func (s *Source) reader(open func(io.ReaderAt, int64) (*Reader, error)) (*Reader, error) {
	r, err := open(s, s.Size())
	if err == nil {
		err = s.v.check(r)
	} else if len(s.v.files) > 1 {
		err = s.v.suspect(s.base, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return r, nil
}

// Digest reads every byte once. tap, if not nil, returns a writer for each file,
// which receives all its bytes.
func (s *Source) Digest(ctx context.Context, tap func() io.Writer, report progress.Func) (*Digests, error) {
	whole, parts := sha256.New(), partHasher{sum: sha256.New()}
	d := &Digests{}
	for i, f := range s.v.files {
		name := filepath.Base(f.Name())
		size := s.v.starts[i+1] - s.v.starts[i]
		to := &digester{sum: sha256.New(), whole: whole, parts: &parts}
		if tap != nil {
			to.tap = tap()
		}
		if err := copyAll(ctx, to, io.NewSectionReader(f, 0, size), "hash", name, size, report); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		d.Files = append(d.Files, FileDigest{Name: name, Size: size, SHA256: hex.EncodeToString(to.sum.Sum(nil)), Tap: to.tap})
	}
	d.SHA256 = hex.EncodeToString(whole.Sum(nil))
	s.pin(parts.end().sums)
	return d, nil
}

// pin makes s return only bytes with these hashes.
func (s *Source) pin(sums [][sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sums, s.recent, s.next = sums, make([]block, recentBlocks), 0
}

// recentBlocks is how many blocks are cached, because frames begin and end within blocks.
const recentBlocks = 8

// digester hashes what is written to it.
type digester struct {
	sum, whole hash.Hash
	parts      *partHasher
	tap        io.Writer // may be nil
}

func (d *digester) Write(b []byte) (int, error) {
	d.sum.Write(b)
	d.whole.Write(b)
	d.parts.write(b)
	if d.tap != nil {
		return d.tap.Write(b)
	}
	return len(b), nil
}

// copyAll copies size bytes of r to w and reports it as task of stage.
func copyAll(ctx context.Context, w io.Writer, r io.Reader, stage, task string, size int64, report progress.Func) error {
	report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: task, Total: size})
	buf := make([]byte, 1<<20)
	for done := int64(0); ; {
		n, err := readFull(ctx, r, buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			done += int64(n)
			report.Report(progress.Event{Kind: progress.Advance, Stage: stage, Task: task, Bytes: int64(n), Total: size})
		}
		switch {
		case ctx.Err() != nil:
			report.Report(progress.Event{Kind: progress.Stopped, Stage: stage, Task: task})
			return context.Cause(ctx)
		case errors.Is(err, io.EOF) && done == size:
			report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: task, Bytes: size})
			return nil
		case errors.Is(err, io.EOF):
			err = damage("it ends after %d of %d bytes", done, size)
		}
		if err != nil {
			report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: task, Text: err.Error()})
			return err
		}
	}
}

// errExchanged reports that a file has changed since it was hashed.
var errExchanged = errors.New("the content changed between two reads: the disk is faulty or the file was modified")

// ReadAt reads from the archive, with all volumes concatenated.
func (s *Source) ReadAt(b []byte, offset int64) (int, error) {
	s.mu.Lock()
	sums := s.sums
	s.mu.Unlock()
	if sums == nil {
		return s.v.ReadAt(b, offset)
	}
	done := 0
	for done < len(b) {
		at := offset + int64(done)
		if at >= s.Size() {
			return done, io.EOF
		}
		part, err := s.block(sums, at/partSize, b[done:], at%partSize)
		if err != nil {
			return done, err
		}
		done += part
	}
	return done, nil
}

// block copies block n, from its byte from on, to b. A block that fits into b
// completely is read directly into it.
func (s *Source) block(sums [][sha256.Size]byte, n int64, b []byte, from int64) (int, error) {
	size := min(partSize, s.Size()-n*partSize)
	if from == 0 && int64(len(b)) >= size {
		return int(size), s.compare(sums, n, b[:size])
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.recent, func(r block) bool { return r.b != nil && r.number == n })
	var have []byte
	if i >= 0 {
		have = s.recent[i].b
	}
	s.mu.Unlock()
	if have == nil {
		have = make([]byte, size)
		if err := s.compare(sums, n, have); err != nil {
			return 0, err
		}
		s.mu.Lock()
		s.recent[s.next] = block{n, have}
		s.next = (s.next + 1) % len(s.recent)
		s.mu.Unlock()
	}
	return copy(b, have[from:]), nil
}

// compare fills b with block n and compares it.
func (s *Source) compare(sums [][sha256.Size]byte, n int64, b []byte) error {
	if err := readAt(s.v, b, n*partSize); err != nil {
		return err
	}
	if sha256.Sum256(b) != sums[n] {
		s.exchanged.Store(true)
		return fmt.Errorf("from byte %d on: %w", n*partSize, errExchanged)
	}
	return nil
}
