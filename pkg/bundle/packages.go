package bundle

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/rpm"
	"kubecrate/pkg/source"
	"kubecrate/pkg/source/rpmrepo"
)

// packages downloads and verifies every RPM of the lock and creates a yum
// repository of them.
func (b *builder) packages(ctx context.Context) ([]archive.Entry, error) {
	if len(b.lock.Packages) == 0 {
		return nil, nil
	}
	b.oldLock()
	trust, err := b.trust(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]archive.Entry, len(b.lock.Packages))
	pkgs, signers := make([]repodata.Package, len(b.lock.Packages)), make([]string, len(b.lock.Packages))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(b.jobs)
	for i, p := range b.lock.Packages {
		g.Go(func() (err error) {
			entries[i], pkgs[i], signers[i], err = b.onePackage(gctx, p, trust[p.Repo])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	b.signers = make(map[string]string, len(signers))
	for i, p := range b.lock.Packages {
		b.signers[p.NEVRA.String()] = signers[i]
	}
	metadata, err := repositoryEntries(pkgs)
	if err != nil {
		return nil, err
	}
	return append(metadata, entries...), nil
}

// repoTrust holds the source of a repository's packages and the keys that must have
// signed them; nil keys require no signature.
type repoTrust struct {
	repo manifest.Repo
	keys *rpm.Keyring
}

// trust opens the pinned keys of every repository that the lock uses.
func (b *builder) trust(ctx context.Context) (map[string]repoTrust, error) {
	used := map[string]bool{}
	for _, p := range b.lock.Packages {
		used[p.Repo] = true
	}
	all := map[string]repoTrust{}
	for _, repo := range b.manifest.Packages.Repos {
		if !used[repo.ID] {
			continue
		}
		t := repoTrust{repo: repo}
		if repo.Checked() {
			var err error
			if t.keys, err = rpmrepo.Keyring(ctx, b.fetcher, repo, b.manifest.Dir(), manifest.Keys()); err != nil {
				return nil, err
			}
		}
		all[repo.ID] = t
	}
	for id := range used {
		if _, ok := all[id]; !ok {
			return nil, fmt.Errorf("cannot build: the lock has packages from repository %s, which is not in the manifest", id)
		}
	}
	return all, nil
}

func (b *builder) onePackage(ctx context.Context, p manifest.LockedPackage, t repoTrust) (e archive.Entry, pkg repodata.Package, signer string, err error) {
	from, err := locations(p, t.repo)
	if err != nil {
		return e, pkg, "", err
	}
	got, err := b.fetcher.Fetch(ctx, source.Blob{
		Name: p.NEVRA.String(), Digest: "sha256:" + p.SHA256, Size: p.Size, Locations: from,
		Gone: fmt.Sprintf("no mirror has it any more: to pin the current version: bundle lock MANIFEST; or name a mirror that keeps it: --repo %s=URL", p.Repo),
	})
	if err != nil {
		return e, pkg, "", err
	}
	pkg, signer, err = b.verifyPackage(p, got.Digest, t)
	if err == nil {
		err = b.asSolved(ctx, p, &pkg.Metadata, t.repo)
	}
	if err != nil {
		return e, pkg, "", fmt.Errorf("cannot use %s from repository %s: %w", p.NEVRA, p.Repo, err)
	}
	e, err = b.stored(ctx, got.Digest, manifest.KindRPM)
	e.Path = "rpms/" + pkg.Location
	return e, pkg, signer, err
}

// verifyPackage reads the whole RPM and verifies its signature, its payload and that
// it is the locked package. signer is the key that signed it.
func (b *builder) verifyPackage(p manifest.LockedPackage, digest string, t repoTrust) (pkg repodata.Package, signer string, err error) {
	f, err := b.store.Open(digest)
	if err != nil {
		return pkg, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var v *rpm.Verification
	if t.keys != nil {
		v, err = rpm.Verify(f, t.keys)
	} else {
		v, err = rpm.Check(f)
	}
	if err != nil {
		return pkg, "", err
	}
	for _, w := range v.Warnings {
		b.report.Report(progress.Event{Kind: progress.Warn, Stage: "verify", Task: p.NEVRA.String(), Text: w})
	}
	if got := v.Metadata.NEVRA; got.String() != p.NEVRA.String() {
		return pkg, "", fmt.Errorf("its header says %s", got)
	}
	name, err := repodata.FileName(v.Metadata.NEVRA)
	if err != nil {
		return pkg, "", err
	}
	return repodata.Package{
		Metadata: *v.Metadata, Location: name, Size: p.Size,
		Checksum: repodata.Checksum{Type: "sha256", Value: p.SHA256},
		FileTime: v.Metadata.BuildTime, HeaderStart: v.Header.Start, HeaderEnd: v.Header.End,
	}, v.String(), nil
}

// locations lists the URLs of p: every mirror of its repository, then the one in the
// lock.
func locations(p manifest.LockedPackage, repo manifest.Repo) ([]source.Location, error) {
	list, err := rpmrepo.Locations(repo, p.Location)
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		if l.URL == p.URL {
			return list, nil
		}
	}
	return append(list, source.Location{URL: p.URL}), nil
}

// repositoryEntries writes the yum metadata of pkgs, gzip as EL7's yum needs.
func repositoryEntries(pkgs []repodata.Package) ([]archive.Entry, error) {
	files := &memoryFiles{}
	if err := repodata.Write(files.create, pkgs, repodata.WriteOptions{Revision: "1"}); err != nil {
		return nil, err
	}
	entries := make([]archive.Entry, 0, len(files.list))
	for _, f := range files.list {
		entries = append(entries, contentEntry(manifest.Artifact{Path: "rpms/" + f.name, Kind: manifest.KindRepodata}, f.Bytes()))
	}
	return entries, nil
}
