package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/store"
)

// content is the content of a member that is too large for memory.
type content struct {
	digest string // "sha256:HEX"
	kind   manifest.Kind
	// read downloads the blob with the content, if necessary, and passes the content
	// to use as it arrives, again from the start if it was wrong. It returns nil only
	// if everything downloaded was verified; use verifies the digest of the content
	// itself, since it hashes anyway.
	read func(ctx context.Context, use func(io.Reader) error) error
}

// member brings content into the cache in the form in which the archive takes
// it: as compressed frames or, where the level compresses images together, as
// it is. What the cache has is not made again. Path, roles and Open are the
// caller's.
func (b *builder) member(ctx context.Context, c content) (archive.Entry, error) {
	e := archive.Entry{Artifact: manifest.Artifact{SHA256: hexOf(c.digest), Kind: c.kind}}
	if b.level.Solid() && c.kind == manifest.KindImage {
		var err error
		e.Size, err = b.rawSize(ctx, c)
		e.Forget = func() error { return b.store.RemoveEntry(sizesNS, hexOf(c.digest)) }
		return e, err
	}
	packed, err := b.frames(ctx, c)
	if err != nil {
		return e, err
	}
	e.Size = packed.Size
	e.Packed = func() (io.ReadSeekCloser, error) { return b.store.Entry(b.framesNS(), hexOf(c.digest)) }
	e.Forget = func() error { return b.store.RemoveEntry(b.framesNS(), hexOf(c.digest)) }
	return e, nil
}

// stored is member for a blob of the store.
func (b *builder) stored(ctx context.Context, digest string, kind manifest.Kind) (archive.Entry, error) {
	open := func() (io.ReadCloser, error) { return b.store.OpenVerified(digest) }
	e, err := b.member(ctx, content{
		digest: digest, kind: kind,
		read: func(_ context.Context, use func(io.Reader) error) error {
			r, err := open()
			if err != nil {
				return err
			}
			defer closeRead(r)
			return use(r)
		},
	})
	e.Open = open
	return e, err
}

// sizesNS is the part of the cache that holds the sizes of members.
const sizesNS = "sizes"

// framesNS is the part of the cache that holds frames of this level.
func (b *builder) framesNS() string { return "frames-" + b.level.Encoding() }

// frames finds or compresses the frames of c.
func (b *builder) frames(ctx context.Context, c content) (archive.Packed, error) {
	ns, key := b.framesNS(), hexOf(c.digest)
	if f, err := b.store.Entry(ns, key); err == nil {
		p, err := archive.ReadPacked(f)
		closeRead(f)
		if err == nil && p.SHA256 == key {
			return p, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return archive.Packed{}, err
	}
	var w *store.EntryWriter
	defer func() { abort(w) }()
	var p archive.Packed
	err := c.read(ctx, func(r io.Reader) (err error) {
		abort(w)
		if w, err = b.store.CreateEntry(ns, key); err != nil {
			return err
		}
		p, err = b.packer.Pack(ctx, w, r)
		return err
	})
	if err != nil {
		return p, err
	}
	if p.SHA256 != key {
		return p, wrongContent(key, p.SHA256)
	}
	return p, w.Commit()
}

// abort drops a half-written entry, if there is one.
func abort(w *store.EntryWriter) {
	if w != nil {
		// Leftovers are removed when the cache is opened next.
		_ = w.Abort()
	}
}

// rawSize is the size of c in bytes. If it is not known yet, all of c is read,
// which downloads and verifies it.
func (b *builder) rawSize(ctx context.Context, c content) (int64, error) {
	const most = 32
	key := hexOf(c.digest)
	if f, err := b.store.Entry(sizesNS, key); err == nil {
		text, err := io.ReadAll(io.LimitReader(f, most))
		closeRead(f)
		if size, perr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && perr == nil {
			return size, nil
		}
	}
	var size int64
	var sum hash.Hash
	err := c.read(ctx, func(r io.Reader) (err error) {
		sum = sha256.New()
		size, err = io.Copy(sum, r)
		return err
	})
	if err != nil {
		return 0, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != key {
		return 0, wrongContent(key, got)
	}
	w, err := b.store.CreateEntry(sizesNS, key)
	if err != nil {
		return 0, err
	}
	defer abort(w)
	if _, err := fmt.Fprintln(w, size); err != nil {
		return 0, err
	}
	return size, w.Commit()
}

// wrongContent is the error for a blob with the pinned digest but other content
// than its image states.
func wrongContent(want, got string) error {
	return fmt.Errorf("its content is sha256:%s, not sha256:%s", got, want)
}

// closeRead closes something that was only read: closing cannot lose data.
func closeRead(c io.Closer) { _ = c.Close() }
