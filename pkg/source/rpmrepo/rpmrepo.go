// Package rpmrepo loads yum repositories: their package lists, where each
// package lies on each mirror, and the keys that sign them.
package rpmrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/source"
)

const (
	maxRepomd = 4 << 20   // bytes of repomd.xml; real ones are a few kilobytes
	maxPacked = 512 << 20 // bytes of a compressed metadata file whose size is not given; Fedora's are 100 MB
)

// Repository is what a repository offers, of all architectures.
type Repository struct {
	ID       string
	Priority int // lower wins
	Packages []*repodata.Package
	Unusable []*repodata.Package // what its primary.xml lists and cannot be taken; each says why

	fetcher   *source.Fetcher
	mirrors   []string // the one the metadata came from first
	filelists repodata.Data
	modules   repodata.Data
	full      sync.Mutex // held while files are loaded
}

// Load reads a repository's repomd.xml and primary.xml. The mirrors are tried in
// order, each with its own repomd.xml: one that cannot be reached, that serves
// something else, or whose primary.xml is not the one its repomd.xml names (as on
// a mirror caught in the middle of a sync) gives way to the next. Packages are in
// the order of primary.xml; the same package listed twice is there once, and one
// that cannot be taken is among the Unusable.
//
// The error names the repository and what went wrong on each mirror.
func Load(ctx context.Context, f *source.Fetcher, repo manifest.Repo) (*Repository, error) {
	if len(repo.BaseURL) == 0 {
		return nil, hint.With(fmt.Errorf("cannot load repository %s: it has no baseurl", repo.ID),
			"add baseurl: [https://...] to the repository %s in the manifest", repo.ID)
	}
	var failed []error
	for i, base := range repo.BaseURL {
		r := &Repository{ID: repo.ID, Priority: repo.Rank(), fetcher: f, mirrors: reorder(repo.BaseURL, i)}
		err := r.load(ctx, base)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("cannot load repository %s: %w", repo.ID, err)
		}
		failed = append(failed, err)
	}
	return nil, fmt.Errorf("cannot load repository %s: %w", repo.ID, mirrorErrors(failed))
}

// mirrorErrors puts the errors of several mirrors into one line; each can be
// found by errors.Is.
func mirrorErrors(list []error) error {
	format := strings.TrimSuffix(strings.Repeat("%w; ", len(list)), "; ")
	args := make([]any, len(list))
	for i, err := range list {
		args[i] = err
	}
	return fmt.Errorf(format, args...)
}

// reorder is list with its element i in front.
func reorder(list []string, i int) []string {
	out := append([]string{list[i]}, list[:i]...)
	return append(out, list[i+1:]...)
}

func (r *Repository) load(ctx context.Context, base string) error {
	urls, err := repodata.ResolveMetadata(base, "repodata/repomd.xml")
	if err != nil {
		return err
	}
	url := urls[0]
	body, _, err := r.fetcher.Get(ctx, r.ID+"/repomd.xml", []source.Location{{URL: url}}, maxRepomd)
	if err != nil {
		return err
	}
	md, err := repodata.ReadRepomd(strings.NewReader(string(body)))
	if err != nil {
		return hint.With(fmt.Errorf("%s: %w", url, err), "check that %s is the address of a yum repository", base)
	}
	primary, ok := md.Find(repodata.Primary)
	if !ok {
		return fmt.Errorf("%s: it names no primary.xml", url)
	}
	r.filelists, _ = md.Find(repodata.Filelists)
	r.modules, _ = md.Find(repodata.Modules)
	return r.read(ctx, primary, []string{base}, func(in io.Reader) error {
		r.Packages, r.Unusable = nil, nil
		return r.readPrimary(ctx, in, base)
	})
}

// read fetches a metadata file by its checksum from the mirrors, in order, and
// hands its decompressed content to fn. What comes out must have the size and
// checksum that repomd.xml promises.
func (r *Repository) read(ctx context.Context, d repodata.Data, mirrors []string, fn func(io.Reader) error) (err error) {
	name := r.ID + "/" + d.Type + ".xml"
	if d.Type == repodata.Modules {
		name = r.ID + "/modules.yaml"
	}
	blob := source.Blob{
		Name: name, Digest: d.Checksum.Digest(), Size: d.Size, Limit: maxPacked,
		Hint: "the mirror is being updated or damaged: run the same command again later, or use another one: --repo " + r.ID + "=URL",
	}
	for _, base := range mirrors {
		base, err := repodata.ResolveBase(base, d.Base)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		urls, err := repodata.ResolveMetadata(base, d.Location)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, url := range urls {
			blob.Locations = append(blob.Locations, source.Location{URL: url})
		}
	}
	res, err := r.fetcher.Fetch(ctx, blob)
	if err != nil {
		return err
	}
	if d.Size >= 0 && res.Size != d.Size {
		return fmt.Errorf("%s has %d bytes, repomd.xml says %d", name, res.Size, d.Size)
	}
	file, err := r.fetcher.Store().Open(res.Digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := decompressed(name, file, d, fn); err != nil {
		return fmt.Errorf("%s: %w", blob.Locations[0].URL, err)
	}
	return nil
}

// readPrimary fills r.Packages.
func (r *Repository) readPrimary(ctx context.Context, in io.Reader, base string) error {
	type identity struct {
		nevra  string
		digest string
	}
	seen := make(map[identity]bool)
	return repodata.ReadPrimary(ctx, in, func(p *repodata.Package) error {
		if p.Unusable == nil {
			_, p.Unusable = resolve(base, p.Base, p.Location)
		}
		if p.Unusable != nil {
			r.Unusable = append(r.Unusable, p)
			return nil
		}
		id := identity{p.String(), p.Checksum.Digest()}
		if seen[id] {
			return nil
		}
		seen[id] = true
		r.Packages = append(r.Packages, p)
		return nil
	})
}

// resolve is where a package's file lies whose metadata gives href and perhaps
// xml:base.
func resolve(mirror, base, href string) ([]string, error) {
	mirror, err := repodata.ResolveBase(mirror, base)
	if err != nil {
		return nil, err
	}
	return repodata.Resolve(mirror, href)
}

// Locations are where p can be fetched, those on each mirror in the order of the
// manifest, but on the mirror that served the metadata first.
func (r *Repository) Locations(p *repodata.Package) []source.Location {
	list, _ := everywhere(r.mirrors, func(mirror string) ([]string, error) {
		// Load made sure that every location resolves against one base, so a
		// mirror of another kind (a folder) is all that can fail here.
		return resolve(mirror, p.Base, p.Location)
	})
	return list
}

// everywhere lists what find finds on each mirror, each URL once.
func everywhere(mirrors []string, find func(mirror string) ([]string, error)) (out []source.Location, failed []error) {
	seen := make(map[string]bool)
	for _, mirror := range mirrors {
		urls, err := find(mirror)
		if err != nil {
			failed = append(failed, err)
		}
		for _, url := range urls {
			if !seen[url] {
				seen[url] = true
				out = append(out, source.Location{URL: url})
			}
		}
	}
	return out, failed
}

// Href is what a lock file keeps of where p lies: the location relative to any
// mirror, or a whole URL where the metadata gives one.
func Href(p *repodata.Package) string {
	if p.Base == "" {
		return p.Location
	}
	urls, err := repodata.Resolve(p.Base, p.Location)
	if err != nil {
		return p.Location // xml:base is itself relative, which does not occur in practice
	}
	return urls[len(urls)-1] // the lock's URL is the first
}

// Locations are where the file of that href, as Href gave it, can be fetched:
// on each mirror of repo, in order.
func Locations(repo manifest.Repo, href string) ([]source.Location, error) {
	out, failed := everywhere(repo.BaseURL, func(mirror string) ([]string, error) { return repodata.Resolve(mirror, href) })
	if len(out) == 0 {
		failed = append(failed, errors.New("no mirror is left"))
		return nil, fmt.Errorf("cannot find %s in repository %s: %w", href, repo.ID, mirrorErrors(failed))
	}
	return out, nil
}
