// Package bundle is the builder, stage by stage: Lock turns a manifest into
// digests, Build turns a lock into an archive.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"

	"kubecrate/manifest"
	"kubecrate/pkg/credential"
	"kubecrate/pkg/depsolve"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/image"
	"kubecrate/pkg/imageref"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/source"
	"kubecrate/pkg/source/file"
	"kubecrate/pkg/source/rpmrepo"
)

// Lock resolves m: the RPM closure, the images and the files. Downloads stay in
// the cache.
func Lock(ctx context.Context, m *manifest.Manifest, s *Sources) (*manifest.Lock, error) {
	l := &manifest.Lock{
		APIVersion: manifest.APIVersion, Kind: "Lock",
		Name: m.Name, Platform: m.Platform, Manifest: m.Digest(),
	}
	if err := beforeSolving(m); err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		l.Packages, l.Baseline, err = lockPackages(ctx, m, s)
		return err
	})
	g.Go(func() error {
		images, err := lockFiles(ctx, m, s, l)
		if err != nil {
			return err
		}
		l.Images, err = lockImages(ctx, m, s, images)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	if err := s.agreed(m, l, true); err != nil {
		return nil, err
	}
	return l, s.mentioned(l)
}

// lockPackages solves the closure of m's roots over its repositories.
func lockPackages(ctx context.Context, m *manifest.Manifest, s *Sources) ([]manifest.LockedPackage, string, error) {
	installed, baseline, err := readBaseline(m)
	if err != nil || len(m.Packages.Roots) == 0 {
		return nil, baseline, err
	}
	repos, err := s.repositories(ctx, m)
	if err != nil {
		return nil, "", err
	}
	u := newUniverse(repos)
	s.warnUnusable(repos)
	view, err := s.moduleView(ctx, m, repos)
	if err != nil {
		return nil, "", err
	}
	u.hide(view)
	solution, err := depsolve.Solve(depsolve.Problem{
		Arch: m.Platform.RPMArch(), Roots: m.Packages.Roots, Exclude: m.Packages.Exclude, Weak: m.Packages.Weak,
		Baseline: installed, Candidates: u.candidates, Rejected: u.rejected,
		Filelists: func() error { return u.loadFiles(ctx, s, m.Packages.Roots) },
	})
	if err != nil {
		return nil, "", unsolvable(err)
	}
	s.warn(solution.Warnings...)
	s.warnModular(view, solution.Chosen)
	locked := make([]manifest.LockedPackage, len(solution.Chosen))
	g, ctx := errgroup.WithContext(ctx)
	for i, choice := range solution.Chosen {
		g.Go(func() (err error) {
			locked[i], err = u.lock(ctx, s, choice)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	sort.Slice(locked, func(i, j int) bool { return locked[i].NEVRA.String() < locked[j].NEVRA.String() })
	return locked, baseline, nil
}

func readBaseline(m *manifest.Manifest) ([]nevra.NEVRA, string, error) {
	names, digest, err := manifest.Baseline(m.Packages.Baseline, m.Dir())
	if err != nil {
		return nil, "", err
	}
	installed := make([]nevra.NEVRA, 0, len(names))
	for _, name := range names {
		n, err := nevra.Parse(name)
		if err != nil {
			return nil, "", err
		}
		installed = append(installed, n)
	}
	return installed, digest, nil
}

// universe is every package of every repository, by candidate ID.
type universe struct {
	repos      []*rpmrepo.Repository
	candidates []depsolve.Candidate
	rejected   []depsolve.Rejected
	packages   []*repodata.Package
	origin     []*rpmrepo.Repository
}

func newUniverse(repos []*rpmrepo.Repository) *universe {
	u := &universe{repos: repos}
	for _, r := range repos {
		for _, p := range r.Packages {
			u.candidates = append(u.candidates, depsolve.Candidate{
				Meta: &p.Metadata, Repo: r.ID, Priority: r.Priority, Checksum: p.Checksum.Value, ID: len(u.packages),
			})
			u.packages = append(u.packages, p)
			u.origin = append(u.origin, r)
		}
		for _, p := range r.Unusable {
			u.rejected = append(u.rejected, depsolve.Rejected{Meta: &p.Metadata, Why: fmt.Sprintf("of repository %s is unusable: %v", r.ID, p.Unusable)})
		}
	}
	return u
}

// loadFiles completes the file lists with the paths that packages or roots name.
func (u *universe) loadFiles(ctx context.Context, s *Sources, roots []string) error {
	wanted := map[string]bool{}
	for _, r := range roots {
		wanted[r] = strings.HasPrefix(r, "/")
	}
	for _, r := range u.repos {
		r.Paths(func(path string) { wanted[path] = true })
	}
	for _, r := range u.repos {
		unlisted, err := r.LoadFiles(ctx, wanted)
		if err != nil {
			return err
		}
		if len(unlisted) > 0 {
			s.warn(fmt.Sprintf("repository %s: its file lists lack %s, whose files are unknown", r.ID, nameFew(unlisted)))
		}
	}
	return nil
}

// lock pins one chosen package. It downloads the package if the metadata has no
// sha256 of it.
func (u *universe) lock(ctx context.Context, s *Sources, c depsolve.Choice) (manifest.LockedPackage, error) {
	p, r := u.packages[c.ID], u.origin[c.ID]
	locations := r.Locations(p)
	if what := credential.InURL(locations[0].URL); what != "" {
		return manifest.LockedPackage{}, hint.With(fmt.Errorf("cannot lock %s: its URL in the metadata of repository %s contains %s, which would end up in the lock", p.NEVRA, r.ID, what),
			"use another mirror: --repo %s=URL", r.ID)
	}
	l := manifest.LockedPackage{
		NEVRA: p.NEVRA, Repo: r.ID, Location: rpmrepo.Href(p), URL: locations[0].URL, Size: p.Size,
		Relations: repodata.Relations(&p.Metadata),
	}
	if c.Upgrades != nil {
		l.Upgrades = *c.Upgrades
	}
	for _, why := range c.Why {
		l.Why = append(l.Why, lockReason(why))
	}
	if p.Checksum.Type == "sha256" {
		l.SHA256 = p.Checksum.Value
		return l, nil
	}
	got, err := s.fetcher.Fetch(ctx, source.Blob{
		Name: l.NEVRA.String(), Digest: p.Checksum.Digest(), Size: p.Size, Locations: locations,
	})
	if err != nil {
		return l, err
	}
	l.SHA256 = hexOf(got.Digest)
	return l, nil
}

func lockReason(r depsolve.Reason) manifest.LockedReason {
	if r.Root != "" {
		return manifest.LockedReason{Root: r.Root}
	}
	if r.Installed != nil {
		return manifest.LockedReason{By: r.By.String(), Requires: fmt.Sprintf("%s, by the installed %s", r.Relation, r.Installed)}
	}
	return manifest.LockedReason{By: r.By.String(), Requires: r.Relation.String()}
}

// lockFiles pins the files into l and returns the images that they name, each
// with the file that names it.
func lockFiles(ctx context.Context, m *manifest.Manifest, s *Sources, l *manifest.Lock) ([]namedImage, error) {
	var found []namedImage
	for _, f := range m.Files {
		locked, err := file.Resolve(ctx, s.fetcher, f, m.Dir())
		if err != nil {
			return nil, err
		}
		l.Files = append(l.Files, locked)
		if !f.Images {
			continue
		}
		names, err := s.imagesIn(locked)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			found = append(found, namedImage{Image: manifest.Image{Name: n}, from: f.Path})
		}
	}
	slices.SortFunc(l.Files, func(a, b manifest.LockedFile) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// namedImage is an image and the file that names it, "" for the manifest.
type namedImage struct {
	manifest.Image
	from string
}

func (s *Sources) imagesIn(f manifest.LockedFile) ([]string, error) {
	r, err := s.store.Open("sha256:" + f.SHA256)
	if err != nil {
		return nil, err
	}
	defer closeRead(r)
	names, err := image.Names(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the images of %s: %w", f.Path, err)
	}
	return names, nil
}

// lockImages resolves the images of the manifest, then those that files name
// and the manifest does not.
func lockImages(ctx context.Context, m *manifest.Manifest, s *Sources, found []namedImage) ([]manifest.LockedImage, error) {
	var all []namedImage
	seen := map[string]bool{}
	inFiles := map[string]bool{}
	for _, img := range found {
		inFiles[img.Name] = true
	}
	for _, img := range m.Images.List {
		// An image that a file names too runs wherever the file's pods do.
		if name, err := imageref.Canonical(img.Name); err == nil && len(img.Roles) == 0 && !inFiles[name] {
			img.Roles = m.RolesOf(name)
		}
		all = append(all, namedImage{Image: img})
	}
	var wanted []namedImage
	for _, img := range append(all, found...) {
		full, err := imageref.Full(img.Name)
		if err != nil {
			return nil, err
		}
		if !seen[full] {
			seen[full] = true
			wanted = append(wanted, img)
		}
	}
	locked := make([]manifest.LockedImage, len(wanted))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.jobs)
	for i, img := range wanted {
		g.Go(func() (err error) {
			locked[i], err = s.puller.Resolve(ctx, img.Image, m.Platform)
			locked[i].From = img.from
			if err != nil && img.from != "" {
				err = fmt.Errorf("%s names an image that cannot be packed (remove images: true there to pack only images.list): %w", img.from, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	sort.Slice(locked, func(i, j int) bool { return locked[i].Name < locked[j].Name })
	return locked, nil
}

// unsolvable adds the hint where to fix a closure: in the manifest.
func unsolvable(err error) error {
	var u *depsolve.Unsolvable
	if !errors.As(err, &u) {
		return err
	}
	return hint.With(err, "in the manifest, name another version under packages.roots, or add the repository with the missing packages to packages.repos")
}
