package bundle

import (
	"os"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
)

// requireSpace checks, before any download, that the target and the cache have
// enough space. Packages are already compressed, and the lock has their sizes;
// layers end up about as large as in the registry, and at least half as large.
func (b *builder) requireSpace(o BuildOptions) error {
	const half = 2
	var least, likely, missing int64
	seen := map[string]bool{}
	add := func(digest, content string, size int64, shrinks bool) {
		if seen[digest] {
			return
		}
		seen[digest] = true
		likely += size
		if shrinks {
			least += size / half
		} else {
			least += size
		}
		if !b.cached(digest, content) {
			missing += size
		}
	}
	for _, p := range b.lock.Packages {
		add("sha256:"+p.SHA256, "", p.Size, false)
	}
	for _, img := range b.lock.Images {
		for _, l := range img.Layers {
			add(l.Digest, l.DiffID, l.Size, !img.KeepDigest)
		}
	}
	for _, f := range b.lock.Files {
		add("sha256:"+f.SHA256, "", f.Size, true)
	}
	if info, err := os.Stat(o.Installer); err == nil {
		const copies = 2 // next to the archive; the one inside is compressed
		least += copies * info.Size()
		likely += (copies + 1) * info.Size()
	}
	warning, err := archive.CheckTarget(o.Dir, o.VolumeSize, least, likely)
	if err != nil {
		return err
	}
	if warning != "" {
		b.report.Report(progress.Event{Kind: progress.Warn, Stage: "archive", Task: o.Dir, Text: warning})
	}
	if missing == 0 {
		return nil
	}
	return b.store.RequireSpace(missing)
}

// cached reports whether a blob, or the frames of its content ("" for none), are in
// the cache.
func (b *builder) cached(digest, content string) bool {
	if _, there := b.store.Stat(digest); there || content == "" {
		return there
	}
	f, err := b.store.Entry(b.framesNS(), hexOf(content))
	if err != nil {
		return false
	}
	closeRead(f)
	return true
}
