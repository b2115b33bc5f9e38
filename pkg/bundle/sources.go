package bundle

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"kubecrate/manifest"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/source"
	"kubecrate/pkg/source/registry"
	"kubecrate/pkg/source/rpmrepo"
	"kubecrate/pkg/store"
)

// SourceOptions configure the network access. Cache "" is the user's cache.
type SourceOptions struct {
	Cache    string
	Jobs     int           // downloads at a time
	Retries  int           // attempts at one mirror
	Stall    time.Duration // a connection that is silent this long is closed
	Insecure bool          // allow http to hosts other than loopback
	Report   progress.Func
}

// Sources is the connected side of a build: the cache and what fills it.
type Sources struct {
	store   *store.Store
	fetcher *source.Fetcher
	puller  *registry.Puller
	report  progress.Func
	jobs    int
}

// OpenSources opens the cache; it downloads nothing yet.
func OpenSources(m *manifest.Manifest, o SourceOptions) (*Sources, error) {
	dir := o.Cache
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	st, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	f := source.New(st, source.Options{Jobs: o.Jobs, Insecure: o.Insecure, Stall: o.Stall, Retries: o.Retries, Report: o.Report})
	return &Sources{
		store:   st,
		fetcher: f,
		puller:  registry.New(f, m.Images.Mirrors, registry.Options{Insecure: o.Insecure}),
		report:  o.Report,
		jobs:    max(o.Jobs, 1),
	}, nil
}

// repositories reads the metadata of every repository of m, in the order of m.
func (s *Sources) repositories(ctx context.Context, m *manifest.Manifest) ([]*rpmrepo.Repository, error) {
	repos := make([]*rpmrepo.Repository, len(m.Packages.Repos))
	g, ctx := errgroup.WithContext(ctx)
	for i, repo := range m.Packages.Repos {
		g.Go(func() (err error) {
			repos[i], err = rpmrepo.Load(ctx, s.fetcher, repo)
			return err
		})
	}
	return repos, g.Wait()
}
