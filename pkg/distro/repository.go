package distro

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

const (
	repoID   = "kubecrate"
	repoDir  = step.Dir + "/repo"
	repoFile = "/etc/yum.repos.d/" + repoID + ".repo"
)

// repoText is the .repo file, for an operator who wants a package of the bundle: this
// program itself uses configText.
//
// gpgcheck is off because it would add nothing: bundle verified every package with the
// keys pinned by the manifest, Each verified every byte against the archive's index
// while unpacking, and the index is signed. It would require importing keys into rpm's
// database, which a reset would not remove.
func (d Distro) repoText() string {
	return "[" + repoID + "]\n" +
		"name=Packages of the kubecrate bundle\n" +
		"baseurl=file://" + repoDir + "\n" +
		"enabled=0\n" +
		"# Signatures were verified when the bundle was made, and every file against the\n" +
		"# bundle's hashes when it was unpacked here; rpm needs no keys for them.\n" +
		"gpgcheck=0\n" +
		"repo_gpgcheck=0\n" +
		"metadata_expire=0\n" +
		"skip_if_unavailable=0\n" +
		d.settings()
}

// unpack unpacks the bundle's repository to repoDir. It keeps intact files and removes
// unknown ones. A file gets its name only after its content was verified against the
// archive's index.
func (s packages) unpack(ctx context.Context, h *host.Host) error {
	want := map[string]bool{}
	var total int64
	var failed error
	pick := func(m archive.Member) bool {
		name, ok := placeOf(m)
		if !ok || failed != nil {
			return false
		}
		want[name] = true
		right, err := intact(h, name, m)
		if err != nil {
			failed = err
		}
		if !right {
			total += m.Size
		}
		return !right
	}
	const task = "repository"
	started := false
	err := s.bundle.Archive.Each(ctx, pick, func(m archive.Member, r io.Reader) error {
		if failed != nil {
			return failed
		}
		if !started {
			started = true
			s.report.Report(progress.Event{Kind: progress.Start, Stage: StepName, Task: task, Total: total})
		}
		to, _ := placeOf(m)
		if err := h.State().Store(to, r, host.FileMode); err != nil {
			return err
		}
		s.report.Report(progress.Event{Kind: progress.Advance, Stage: StepName, Task: task, Bytes: m.Size, Total: total})
		return nil
	})
	if err = errors.Join(failed, err); err != nil {
		if started {
			s.report.Report(progress.Event{Kind: progress.Failed, Stage: StepName, Task: task, Text: err.Error()})
		}
		if errors.Is(err, syscall.ENOSPC) {
			err = hint.With(err, "df -h %s shows the disk; free %s there", step.Dir, progress.Size(total))
		}
		return fmt.Errorf("cannot unpack the bundle's packages: %w", err)
	}
	if started {
		s.report.Report(progress.Event{Kind: progress.Done, Stage: StepName, Task: task, Bytes: total})
	}
	return sweep(h, want)
}

// placeOf returns the path of a member of the bundle's repository on a host: packages
// directly in repoDir, metadata in its repodata. ok is false for every other member.
func placeOf(m archive.Member) (string, bool) {
	dir, base := path.Split(m.Path)
	if base == "" || base == "." || base == ".." || strings.ContainsAny(base, "\x00/") {
		return "", false
	}
	switch {
	case dir == "rpms/" && m.Kind == manifest.KindRPM:
		return path.Join(repoDir, base), true
	case dir == "rpms/repodata/" && m.Kind == manifest.KindRepodata:
		return path.Join(repoDir, "repodata", base), true
	}
	return "", false
}

// intact reports whether a file exists with the content of the member.
func intact(h *host.Host, name string, m archive.Member) (ok bool, err error) {
	f, err := os.Open(h.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || info.Size() != m.Size || !info.Mode().IsRegular() {
		return false, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == m.SHA256, nil
}

// sweep removes files of another bundle, or of an interrupted unpacking.
func sweep(h *host.Host, want map[string]bool) error {
	for _, dir := range []string{repoDir, repoDir + "/repodata"} {
		names, err := h.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("cannot list %s: %w", dir, err)
		}
		for _, n := range names {
			if at := path.Join(dir, n); !want[at] && at != repoDir+"/repodata" {
				if err := h.State().Discard(at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// forget removes the caches of the repository in yum and dnf, so that they read its
// current content, and a reset leaves nothing.
func forget(h *host.Host) error {
	if err := h.State().Discard(cacheDir); err != nil {
		return err
	}
	for _, pattern := range []string{
		"/var/cache/yum/*/*/" + repoID, "/var/lib/yum/repos/*/*/" + repoID, "/var/cache/dnf/" + repoID + "*", "/var/lib/dnf/repos/" + repoID + "-*",
	} {
		found, err := filepath.Glob(h.Path(pattern))
		if err != nil {
			return err
		}
		slices.Sort(found)
		for _, at := range found {
			rel, err := filepath.Rel(h.Root, at)
			if err != nil {
				return err
			}
			if err := h.State().Discard("/" + rel); err != nil {
				return err
			}
		}
	}
	return nil
}
