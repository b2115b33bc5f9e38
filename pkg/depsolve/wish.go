package depsolve

import "kubecrate/pkg/nevra"

// Weak relations bring no package by themselves unless Problem.Weak is set. Of
// the packages that satisfy a requirement they say which one to take, as
// libsolv has it (policy.c, prune_to_recommended and prefer_suggested): what is
// there recommends it, or it supplements what is there; after those what is
// suggested, or enhances.
const (
	wishRecommended = -2
	wishSuggested   = -1
)

// wishes are the packages that present ones recommend and suggest.
type wishes struct{ recommended, suggested map[id]bool }

// wished notes what p recommends and suggests, now that it is present.
func (w *walk) wished(p id) {
	m := w.u.pkgs[p].meta
	for _, kind := range []struct {
		list []nevra.Relation
		into map[id]bool
	}{{m.Recommends, w.wishes.recommended}, {m.Suggests, w.wishes.suggested}} {
		for _, r := range kind.list {
			w.u.formula(r, false).leaves(true, func(l *formula, positive bool) {
				for _, q := range l.providers {
					kind.into[q] = kind.into[q] || positive
				}
			})
		}
	}
}

// wish says how much c is wished for.
func (w *walk) wish(c id) int {
	m := w.u.pkgs[c].meta
	switch {
	case w.wishes.recommended[c] || w.concerned(m.Supplements):
		return wishRecommended
	case w.wishes.suggested[c] || w.concerned(m.Enhances):
		return wishSuggested
	}
	return 0
}

// concerned says whether one of the relations holds.
func (w *walk) concerned(list []nevra.Relation) bool {
	for _, r := range list {
		if w.u.formula(r, false).holds(w.present) {
			return true
		}
	}
	return false
}
