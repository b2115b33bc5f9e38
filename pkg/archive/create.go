package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
)

// Entry is a member to be written. Size and SHA256 must be right: Create
// compares them with the content.
//
// Packed, if set, opens what Pack wrote for the content; an intact packed file is
// copied, and Open is not called. If it is damaged and Open is set, the content
// is compressed again, with a warning. Members under 64 KiB share frames, so
// Packed gains nothing for them.
//
// Forget, if set, removes from a cache what Packed opens; WriteFile calls it for
// a member whose content does not match.
//
// At a Solid level, members of kind image that the same roles need form a group:
// they are compressed together, wherever they are in the list, and reading one of
// them decodes the group up to it. Small members are never grouped.
type Entry struct {
	manifest.Artifact
	Open   func() (io.ReadCloser, error)
	Packed func() (io.ReadSeekCloser, error)
	Forget func() error
}

// CreateOptions control how an archive is written. Packer may be shared; nil
// creates one for Level. Groups caches the frames of groups; nil disables that.
//
// The rest is for WriteFile: VolumeSize in bytes, 0 for one file; Programs, the
// names under which members of kind binary are also written beside the archive;
// Tap, if not nil, returns a writer for each file, which receives all its bytes;
// Finish, if not nil, is called when all files have their final names, while they
// are still open.
type CreateOptions struct {
	Name       string
	Platform   manifest.Platform
	Level      Level
	Packer     *Packer
	Groups     GroupCache
	VolumeSize int64
	Programs   []Program
	Tap        func() io.Writer
	Finish     func(*Written) error
	Report     progress.Func
}

// Program is a file beside an archive with the content of a member.
type Program struct{ Name, Member string }

// Sizes in bytes: members of ownFrames or more have their own frames, smaller
// ones share frames of up to sharedFrame.
const (
	ownFrames   = 64 << 10
	sharedFrame = 1 << 20
)

// stage is the name of this package's work in progress events.
const stage = "archive"

// Create writes an archive to w and returns its index. The same options and
// entries produce the same bytes. After an error the output is unusable;
// WriteFile removes it.
func Create(ctx context.Context, w io.Writer, o CreateOptions, entries []Entry) (*Index, error) {
	b, err := newBuilder(o, entries)
	if err != nil {
		return nil, fmt.Errorf("cannot write archive %s: %w", o.Name, err)
	}
	o.Report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: o.Name, Total: b.total})
	to := &frameWriter{w: w, advance: func(n int64) {
		o.Report.Report(progress.Event{Kind: progress.Advance, Stage: stage, Task: o.Name, Bytes: n, Total: b.total})
	}}
	err = b.packer.run(ctx, to, b.produce)
	if err == nil {
		_, err = w.Write(newTable(to.frames).trailer())
	}
	if err != nil {
		end := progress.Event{Kind: progress.Failed, Stage: stage, Task: o.Name, Text: err.Error()}
		if ctx.Err() != nil {
			end = progress.Event{Kind: progress.Stopped, Stage: stage, Task: o.Name}
		}
		o.Report.Report(end)
		return nil, fmt.Errorf("cannot write archive %s: %w", o.Name, err)
	}
	o.Report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: o.Name, Bytes: b.total})
	return b.index, nil
}

// builder writes one archive. entries[i] is index.Members[i].
type builder struct {
	o       CreateOptions
	packer  *Packer
	entries []Entry
	groups  []string // of each entry, "" for none
	index   *Index
	text    []byte       // of the index
	total   int64        // of the tar stream
	shared  *frameBuffer // the open frame of small members
	solid   *zstd.Encoder
}

func newBuilder(o CreateOptions, entries []Entry) (*builder, error) {
	b := &builder{o: o, packer: o.Packer}
	if b.packer == nil {
		b.packer = NewPacker(o.Level)
	}
	if b.packer.level != o.Level {
		return nil, fmt.Errorf("the packer is for level %s, not %s", b.packer.level, o.Level)
	}
	if len(entries) > maxMembers {
		return nil, fmt.Errorf("%d members exceed the limit of %d", len(entries), maxMembers)
	}
	for _, e := range entries {
		if err := checkArtifact(e.Artifact); err != nil {
			return nil, err
		}
		if e.Open == nil && e.Packed == nil {
			return nil, fmt.Errorf("%s cannot be opened", e.Path)
		}
	}
	b.arrange(entries)
	b.index = &Index{Version: Version, Name: o.Name, Platform: o.Platform, Level: o.Level.String(), Members: []Member{}}
	for _, e := range b.entries {
		b.index.Members = append(b.index.Members, Member{Artifact: e.Artifact})
	}
	var err error
	if b.text, err = encodeIndex(b.index); err != nil {
		return nil, err
	}
	if err := checkIndex(b.index, int64(len(b.text))); err != nil {
		return nil, err
	}
	b.total = contentEnd(b.index, int64(len(b.text))) + 2*blockSize
	return b, nil
}

// contentEnd returns where the last member ends; the text of idx has size bytes.
func contentEnd(idx *Index, size int64) int64 {
	if n := len(idx.Members); n > 0 {
		return idx.Members[n-1].end()
	}
	return headerSize(indexArtifact(size)) + roundUp(size)
}

// arrange moves the members of each group to the position of the first of them.
func (b *builder) arrange(entries []Entry) {
	members := map[string][]Entry{}
	for _, e := range entries {
		if g := b.groupOf(e); g != "" {
			members[g] = append(members[g], e)
		}
	}
	for _, e := range entries {
		g := b.groupOf(e)
		group := []Entry{e}
		if g != "" {
			group = members[g]
			delete(members, g)
		}
		for _, e := range group {
			b.entries = append(b.entries, e)
			b.groups = append(b.groups, g)
		}
	}
}

func (b *builder) groupOf(e Entry) string {
	switch {
	case !b.o.Level.Solid() || e.Size < ownFrames:
		return ""
	case e.Kind == manifest.KindImage:
		return fmt.Sprintf("%s %q", e.Kind, e.Roles)
	}
	return ""
}

// produce queues every frame of the archive in l.
func (b *builder) produce(ctx context.Context, l *pipeline) error {
	if err := b.produceIndex(ctx, l); err != nil {
		return err
	}
	for i := 0; i < len(b.entries); {
		end := i + 1
		if g := b.groups[i]; g != "" {
			for end < len(b.entries) && b.groups[end] == g {
				end++
			}
			if err := b.flush(ctx, l); err != nil {
				return err
			}
			if err := l.put(ctx, &solidJob{b: b, entries: b.entries[i:end]}); err != nil {
				return err
			}
		} else if err := b.member(ctx, l, b.entries[i]); err != nil {
			return fmt.Errorf("member %s: %w", b.entries[i].Path, err)
		}
		i = end
	}
	if err := b.share(ctx, l, make([]byte, 2*blockSize)); err != nil {
		return err
	}
	return b.flush(ctx, l)
}

// produceIndex queues index.json, which has its own frame.
func (b *builder) produceIndex(ctx context.Context, l *pipeline) error {
	if err := b.share(ctx, l, header(indexArtifact(int64(len(b.text))))); err != nil {
		return err
	}
	b.shared.decompressed = append(b.shared.decompressed, b.text...)
	return b.flush(ctx, l)
}

// share appends p to the shared frame.
func (b *builder) share(ctx context.Context, l *pipeline, p []byte) (err error) {
	if b.shared != nil && len(b.shared.decompressed)+len(p) > sharedFrame {
		if err := b.flush(ctx, l); err != nil {
			return err
		}
	}
	if b.shared == nil {
		if b.shared, err = l.p.frameBuffer(ctx); err != nil {
			return err
		}
	}
	b.shared.decompressed = append(b.shared.decompressed, p...)
	return nil
}

// flush ends the shared frame.
func (b *builder) flush(ctx context.Context, l *pipeline) error {
	s := b.shared
	b.shared = nil
	if s == nil {
		return nil
	}
	return l.putBuffer(ctx, s)
}

// member queues a member that is not in a group.
func (b *builder) member(ctx context.Context, l *pipeline, e Entry) error {
	if e.Size < ownFrames {
		content, err := b.small(ctx, e)
		if err != nil {
			return err
		}
		return b.share(ctx, l, append(header(e.Artifact), content...))
	}
	if err := b.share(ctx, l, header(e.Artifact)); err != nil {
		return err
	}
	if err := b.flush(ctx, l); err != nil {
		return err
	}
	copied, err := b.cached(ctx, e)
	if err != nil {
		return err
	}
	if copied != nil {
		return l.put(ctx, copied)
	}
	return b.withContent(e, func(r io.Reader) error {
		_, err := l.content(ctx, r)
		return err
	})
}

// small reads the content of a small member, padded to tar blocks.
func (b *builder) small(ctx context.Context, e Entry) (content []byte, err error) {
	err = b.withContent(e, func(r io.Reader) error {
		content = make([]byte, roundUp(e.Size))
		n, err := readFull(ctx, r, content[:e.Size])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if int64(n) < e.Size {
			return fmt.Errorf("it has %d bytes, not %d", n, e.Size)
		}
		return nil
	})
	return content, err
}

// withContent calls use with the content of e, of which it reads up to e.Size
// bytes, and compares size and hash.
func (b *builder) withContent(e Entry, use func(io.Reader) error) error {
	err := b.readContent(e, use)
	if !errors.Is(err, errContent) || e.Forget == nil {
		return err
	}
	if ferr := e.Forget(); ferr != nil {
		return errors.Join(err, ferr)
	}
	return hint.With(err, "the cache entry was removed: run the same command again")
}

// errContent is wrapped by every error for a member whose content does not match
// its entry.
var errContent = errors.New("it does not match the cache")

func (b *builder) readContent(e Entry, use func(io.Reader) error) (err error) {
	open := e.Open
	if open == nil {
		open = func() (io.ReadCloser, error) { return unpack(e.Packed) }
	}
	f, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	r := &io.LimitedReader{R: f, N: e.Size}
	if err := use(io.TeeReader(r, sum)); err != nil {
		return err
	}
	if r.N > 0 {
		return fmt.Errorf("it has %d bytes, not %d: %w", e.Size-r.N, e.Size, errContent)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(f, 1)); err != nil || n > 0 {
		return errors.Join(err, moreThan(n, e.Size))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != e.SHA256 {
		return fmt.Errorf("its content has SHA-256 %s, not %s: %w", got, e.SHA256, errContent)
	}
	return nil
}

func moreThan(n, size int64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("it has more than %d bytes: %w", size, errContent)
}

// cached returns the packed file of e as a job, or nil if none is usable and the
// content can be compressed again.
func (b *builder) cached(ctx context.Context, e Entry) (*copyJob, error) {
	if e.Packed == nil {
		return nil, nil
	}
	w, err := openPacked(ctx, e.Packed, e.Size, e.SHA256)
	if err == nil {
		return w, nil
	}
	if e.Open == nil || ctx.Err() != nil {
		return nil, err
	}
	b.o.Report.Report(progress.Event{
		Kind: progress.Warn, Stage: stage, Task: e.Path,
		Text: fmt.Sprintf("compressing it again: %v", err),
	})
	return nil, nil
}
