package bundle

import (
	"bytes"
	"io"
	"path"
	"slices"

	"kubecrate/manifest"
	"kubecrate/pkg/agree"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/image"
	"kubecrate/pkg/progress"
)

// agreed checks that the parts pinned by l, whose files are in the store, fit
// together. The error is an *agree.Error; warn reports warnings too.
func (s *Sources) agreed(m *manifest.Manifest, l *manifest.Lock, warn bool) error {
	installed, _, err := manifest.Baseline(m.Packages.Baseline, m.Dir())
	if err != nil {
		return err
	}
	b := agree.Of(m, l, installed)
	if err := s.network(b, l); err != nil {
		return err
	}
	found := b.Check()
	for _, f := range found {
		if warn && f.Warn {
			s.report.Report(progress.Event{Kind: progress.Warn, Stage: "agree", Text: f.Text + "; " + f.Hint})
		}
	}
	return agree.Err(m.Name, found)
}

// beforeSolving is the part of it that needs no download.
func beforeSolving(m *manifest.Manifest) error {
	installed, _, err := manifest.Baseline(m.Packages.Baseline, m.Dir())
	if err != nil {
		return err
	}
	return agree.Err(m.Name, agree.Of(m, &manifest.Lock{}, installed).BeforeSolving())
}

// network finds the manifest of b's network, as the installer does, and the images
// that it runs.
func (s *Sources) network(b *agree.Bundle, l *manifest.Lock) error {
	n, err := b.Networks.For(b.Network)
	if err != nil {
		return err
	}
	b.Manifests = &agree.Manifests{}
	for _, f := range l.Files {
		if path.Dir(f.Path) != "manifests" || !slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(f.Path)) {
			continue
		}
		text, err := s.read("sha256:" + f.SHA256)
		if err != nil {
			return err
		}
		if !b.Networks.Claims(n, text) {
			continue
		}
		if b.Manifests.Network != "" {
			b.Manifests.Others = append(b.Manifests.Others, f.Path)
			continue
		}
		names, err := image.Names(bytes.NewReader(text))
		if err != nil {
			return err
		}
		objects, err := cni.Objects(text)
		if err != nil {
			return err
		}
		b.Manifests = &agree.Manifests{Network: f.Path, Roles: f.Roles, Images: names}
		for _, o := range objects {
			b.Manifests.Objects = append(b.Manifests.Objects, agree.Object(o))
		}
	}
	return nil
}

// read returns the bytes of a small blob in the store.
func (s *Sources) read(digest string) ([]byte, error) {
	f, err := s.store.Open(digest)
	if err != nil {
		return nil, err
	}
	defer closeRead(f)
	return io.ReadAll(f)
}
