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

// repoText is the repository's file, for an operator who wants a package of the
// bundle: what this program itself runs reads configText.
//
// gpgcheck is off because it could prove nothing more: bundle verified every
// package with the keys that the manifest pins, Each compared every byte with
// the archive's index while it was unpacked, and a signature covers that. With
// it on, keys would have to be put into rpm's database, which outlive a reset.
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

// unpack brings the bundle's yum repository to repoDir. A file that is there and
// right is kept, and one that does not belong there is removed. Every byte was
// compared with the archive's index before the file has its name.
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
			err = hint.With(err, "df -h %s shows the disk; make %s free there", step.Dir, progress.Size(total))
		}
		return fmt.Errorf("cannot unpack the bundle's packages: %w", err)
	}
	if started {
		s.report.Report(progress.Event{Kind: progress.Done, Stage: StepName, Task: task, Bytes: total})
	}
	return sweep(h, want)
}

// placeOf is where a member of the bundle's repository lies on a host: packages
// directly in repoDir, metadata in its repodata. Every other member has no
// place.
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

// intact says that a file is there with the content of the member.
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

// sweep removes what another bundle, or an unpacking that was cut off, left.
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

// forget removes what yum and dnf keep of the repository, so that they read it
// as it is now, and nothing of it is left when it is gone.
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
