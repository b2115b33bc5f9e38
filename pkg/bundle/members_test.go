package bundle

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/store"
)

// TestWrongContent: a layer that unpacks to something else than its image says
// gets no name in the cache, at any level.
func TestWrongContent(t *testing.T) {
	t.Parallel()
	const pinned = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, level := range []archive.Level{archive.Fast, archive.Best} {
		s, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b := &builder{Sources: &Sources{store: s}, level: level, packer: archive.NewPacker(level)}
		c := content{digest: pinned, kind: manifest.KindImage, read: func(_ context.Context, use func(io.Reader) error) error {
			return use(strings.NewReader("another layer"))
		}}
		_, err = b.member(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "its content is sha256:") || !strings.Contains(err.Error(), ", not "+pinned) {
			t.Errorf("%v: %v", level, err)
		}
		for _, ns := range []string{b.framesNS(), "sizes"} {
			if _, err := s.Entry(ns, hexOf(pinned)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v: %s was kept: %v", level, ns, err)
			}
		}
	}
}
