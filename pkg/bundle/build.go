package bundle

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/image"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/trust"
)

// BuildOptions are the options of Build.
type BuildOptions struct {
	Dir        string        // the target directory, made if missing
	Level      archive.Level // how hard to compress
	VolumeSize int64         // bytes a volume, 0 for one file
	Installer  string        // path of the installer, see FindInstaller

	Sign *trust.SecretKey // signs the archive and the installer; nil for no signatures
}

// Build downloads exactly what l pins, verifies it and writes the archive, its
// sidecar and the installer to o.Dir. The same lock, installer and level produce
// the same archive, bit for bit, and with the same key the same signatures. On an
// error nothing is left in o.Dir, unless only the signatures failed; downloads
// stay in the cache.
func Build(ctx context.Context, m *manifest.Manifest, l *manifest.Lock, s *Sources, o BuildOptions) (*Result, error) {
	started := time.Now()
	if err := archive.MakeDir(o.Dir); err != nil {
		return nil, err
	}
	b := &builder{
		Sources: s, manifest: m, lock: l, level: o.Level,
		packer: archive.NewPacker(o.Level),
	}
	if err := b.requireSpace(o); err != nil {
		return nil, err
	}
	entries, err := b.gather(ctx, o.Installer)
	if err != nil {
		return nil, err
	}
	res, err := b.write(ctx, o, entries)
	if err != nil {
		return nil, err
	}
	res.Seconds = time.Since(started).Seconds()
	return res, nil
}

// builder is the state of one build.
type builder struct {
	*Sources
	manifest *manifest.Manifest
	lock     *manifest.Lock
	level    archive.Level
	packer   *archive.Packer
	signers  map[string]string // by NEVRA: who signed the package
}

// gather collects all members, in the order of the archive: the description of the
// bundle, the installer, the yum repository, the images, files.
func (b *builder) gather(ctx context.Context, installer string) ([]archive.Entry, error) {
	files, err := b.files(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.agreed(b.manifest, b.lock, false); err != nil {
		return nil, err
	}
	if err := b.expect(); err != nil {
		return nil, err
	}
	var rpms, images []archive.Entry
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { rpms, err = b.packages(gctx); return err })
	g.Go(func() (err error) {
		images, err = b.images(gctx, func(l image.Layer) (io.ReadCloser, error) { return b.openLayer(ctx, l) })
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	binary, err := fileEntry(installer, installerMember(b.lock.Platform.Arch), manifest.KindBinary)
	if err != nil {
		return nil, err
	}
	content := append([]archive.Entry{binary}, rpms...)
	content = append(content, images...)
	content = append(content, files...)
	meta, err := b.describe(content)
	if err != nil {
		return nil, err
	}
	return append(meta, content...), nil
}

// expect announces the downloads: what the cache does not have.
func (b *builder) expect() error {
	e := progress.Event{Kind: progress.Expect, Stage: "fetch"}
	add := func(digest string, size int64) {
		if _, ok := b.store.Stat(digest); !ok {
			e.Of++
			e.Total += size
		}
	}
	for _, p := range b.lock.Packages {
		add("sha256:"+p.SHA256, p.Size)
	}
	layers, err := image.Layers(b.lock.Images)
	if err != nil {
		return err
	}
	for _, l := range layers {
		if f, err := b.store.Entry(b.framesNS(), hexOf(l.Digest)); err == nil {
			closeRead(f)
			continue
		}
		add(l.Source.Digest, l.Source.Size)
	}
	if e.Of > 0 {
		b.report.Report(e)
	}
	return nil
}

func (b *builder) write(ctx context.Context, o BuildOptions, entries []archive.Entry) (*Result, error) {
	path := filepath.Join(o.Dir, fmt.Sprintf("%s-%s.tar.zst", b.lock.Name, b.lock.Platform.Arch))
	member := installerMember(b.lock.Platform.Arch)
	options := archive.CreateOptions{
		Name: b.lock.Name, Platform: b.lock.Platform, Level: b.level, VolumeSize: o.VolumeSize,
		Packer: b.packer, Groups: &groupCache{Store: b.store}, Report: b.report,
		Programs: []archive.Program{{Name: filepath.Base(member), Member: member}, {Name: archive.ProgramName, Member: member}},
	}
	var signed *trust.Signed
	if o.Sign != nil {
		options.Tap = trust.NewDigest
		options.Finish = func(w *archive.Written) (err error) {
			signed, err = signWritten(o.Sign, path, w)
			return err
		}
	}
	written, err := archive.WriteFile(ctx, path, options, entries)
	if err != nil {
		return nil, err
	}
	res := b.result(written)
	res.onStick = isMounted(o.Dir)
	if signed != nil {
		err = res.signed(signed)
	}
	return res, err
}
