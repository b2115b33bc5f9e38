package bundle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/source/rpmrepo"
)

// asSolved checks that the verified header of a package matches the metadata that
// the solver used: the same relations, and the files that other packages need. A
// host uses the header.
func (b *builder) asSolved(ctx context.Context, p manifest.LockedPackage, header *nevra.Metadata, repo manifest.Repo) error {
	if p.Relations != "" && !repodata.SameRelations(header, p.Relations) {
		return b.otherRelations(ctx, p, header, repo)
	}
	for _, w := range p.Why {
		text, _, _ := strings.Cut(w.Requires, ", by the installed ")
		if text == "" {
			text = w.Root
		}
		if !provides(header, text) {
			return staleMetadata(repo, fmt.Errorf("it was chosen for %s, but its header has no such file", text))
		}
	}
	return nil
}

// provides says whether a package has the path that a requirement names, or one
// of the capabilities beside it in a rich dependency. What names no path holds by
// the relations.
func provides(m *nevra.Metadata, requirement string) bool {
	words := strings.FieldsFunc(requirement, func(c rune) bool { return c == ' ' || c == '(' || c == ')' })
	if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "/") }) {
		return true
	}
	return slices.ContainsFunc(words, func(w string) bool {
		return w == m.Name || slices.ContainsFunc(m.Provides, func(r nevra.Relation) bool { return r.Name == w }) ||
			slices.ContainsFunc(m.Files, func(f nevra.File) bool { return f.Path == w })
	})
}

// otherRelations names what differs, by the metadata as the repository has it
// now; the lock holds only a sum of it.
func (b *builder) otherRelations(ctx context.Context, p manifest.LockedPackage, header *nevra.Metadata, repo manifest.Repo) error {
	const most = 3
	r, err := rpmrepo.Load(ctx, b.fetcher, repo)
	if ctx.Err() != nil {
		return err
	}
	var differences []string
	if err == nil {
		for _, known := range r.Packages {
			if known.NEVRA == p.NEVRA && repodata.Relations(&known.Metadata) == p.Relations {
				differences = repodata.DifferentRelations(header, &known.Metadata)
			}
		}
	}
	switch n := len(differences); {
	case n == 0:
		differences = []string{"the relations in its header are not those used to resolve the lock; the metadata has changed since"}
	case n > most:
		differences = append(differences[:most], fmt.Sprintf("and %d more", n-most))
	}
	return staleMetadata(repo, errors.New(strings.Join(differences, "; ")))
}

func staleMetadata(repo manifest.Repo, err error) error {
	return hint.With(err, "the metadata of repository %s does not match its packages, as on a mirror that is being updated: "+
		"later: bundle build --update; or now with another mirror: --repo %s=URL", repo.ID, repo.ID)
}

// oldLock warns if a lock does not record the solver's input.
func (b *builder) oldLock() {
	for _, p := range b.lock.Packages {
		if p.Relations == "" {
			b.warn(fmt.Sprintf("the lock does not record the relations of %s, so its header is not compared: to record them: bundle build --update", p.NEVRA))
			return
		}
	}
}
