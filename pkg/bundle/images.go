package bundle

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
)

// images downloads every layer of the lock once, verifies and unpacks it while it
// arrives, and builds the OCI and docker layouts. open is used after ctx has ended.
func (b *builder) images(ctx context.Context, open func(image.Layer) (io.ReadCloser, error)) ([]archive.Entry, error) {
	wanted, err := image.Layers(b.lock.Images)
	if err != nil {
		return nil, err
	}
	layers := &layerSet{members: map[string]archive.Entry{}}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(b.jobs)
	for _, img := range b.lock.Images {
		g.Go(func() error { return b.puller.Metadata(gctx, img) })
	}
	for _, l := range wanted {
		g.Go(func() error {
			e, err := b.layer(gctx, l)
			if err != nil {
				return fmt.Errorf("cannot use layer %s of %s: %w", l.Source.Digest, l.Image.Name, err)
			}
			e.Open = func() (io.ReadCloser, error) { return open(l) }
			layers.add(l.Digest, e)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	layout, err := image.Layout(b.lock.Images, b.read, layers.size)
	if err != nil {
		return nil, err
	}
	entries := make([]archive.Entry, 0, len(layout.Small)+len(layout.Layers))
	for _, f := range layout.Small {
		entries = append(entries, contentEntry(f.Artifact(), f.Content))
	}
	for _, l := range layout.Layers {
		e := layers.members[l.Digest]
		e.Artifact = l.Artifact()
		entries = append(entries, e)
	}
	return entries, nil
}

// layer brings one layer into the cache, compressed and ready for the archive.
func (b *builder) layer(ctx context.Context, l image.Layer) (archive.Entry, error) {
	blob, err := b.puller.Blob(ctx, l.Image, l.Source.LockedBlob)
	if err != nil {
		return archive.Entry{}, err
	}
	return b.member(ctx, content{
		digest: l.Digest,
		kind:   manifest.KindImage,
		read: func(ctx context.Context, use func(io.Reader) error) error {
			return b.fetcher.Consume(ctx, blob, func(r io.Reader) error { return unpacked(l, r, use) })
		},
	})
}

// unpacked hands the content of layer l, whose blob r delivers, to use. Where
// it unpacks, it reads r to its end and refuses what follows the layer.
func unpacked(l image.Layer, r io.Reader, use func(io.Reader) error) error {
	if l.Verbatim {
		return use(r)
	}
	raw, err := image.Unpack(l.Source.MediaType, r)
	if err != nil {
		return err
	}
	defer closeRead(raw)
	return use(raw)
}

// openLayer opens the content of a layer in the store.
func (b *builder) openLayer(ctx context.Context, l image.Layer) (io.ReadCloser, error) {
	blob, err := b.puller.Blob(ctx, l.Image, l.Source.LockedBlob)
	if err != nil {
		return nil, err
	}
	packed, err := b.fetcher.Stream(ctx, blob)
	if err != nil || l.Verbatim {
		return packed, err
	}
	raw, err := image.UnpackLayer(l.Source, packed)
	if err != nil {
		closeRead(packed)
		return nil, err
	}
	return both{raw, packed}, nil
}

// both reads one stream and closes it and the one beneath.
type both struct {
	io.ReadCloser
	beneath io.Closer
}

func (b both) Close() error {
	err := b.ReadCloser.Close()
	closeRead(b.beneath)
	return err
}

// layerSet collects the layers that arrive in parallel, by digest.
type layerSet struct {
	mu      sync.Mutex
	members map[string]archive.Entry
}

func (s *layerSet) add(digest string, e archive.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[digest] = e
}

func (s *layerSet) size(digest string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.members[digest]
	if !ok {
		return 0, fmt.Errorf("layer %s was not downloaded", digest)
	}
	return e.Size, nil
}
