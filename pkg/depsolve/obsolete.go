package depsolve

import (
	"fmt"
	"slices"

	"kubecrate/pkg/nevra"
)

// heir is the package that dnf takes in place of one that it obsoletes, nil
// where there is none; of several the best. A package that obsoletes its heir in
// turn has none.
func (u *universe) heir(p id) *pkg {
	old := u.pkgs[p]
	var heirs []id
	for _, o := range u.obsoletes[old.meta.Name] {
		q := u.pkgs[o.pkg]
		if q.meta.Name != old.meta.Name && q.cand != nil && q.older == nil && obsoletesPkg(q, old) && !obsoletesPkg(old, q) && !slices.Contains(heirs, o.pkg) {
			heirs = append(heirs, o.pkg)
		}
	}
	if len(heirs) == 0 {
		return nil
	}
	return u.pkgs[u.prefer(heirs, old.meta.Name)[0]]
}

// surpassed says whether another package of list obsoletes p: of those that
// satisfy one requirement, that one is taken.
func (u *universe) surpassed(p id, list []id) bool {
	old := u.pkgs[p]
	return slices.ContainsFunc(list, func(q id) bool {
		o := u.pkgs[q]
		return o.meta.Name != old.meta.Name && obsoletesPkg(o, old) && !obsoletesPkg(old, o)
	})
}

// obsoleteWarnings tells of chosen packages that others obsolete: a host that
// sees those would replace them.
func (u *universe) obsoleteWarnings(w *walk) []string {
	var out []string
	for _, p := range w.chosen {
		h := u.heir(p)
		if h == nil || w.present[slices.Index(u.pkgs, h)] {
			continue
		}
		old := u.pkgs[p]
		text := fmt.Sprintf("%s is obsoleted by %s of repository %s, which does not provide what other packages require of it: the obsoleted package is used", old.meta.NEVRA, h.meta.NEVRA, h.cand.Repo)
		if slices.Contains(w.picks, p) {
			text = fmt.Sprintf("%s is obsoleted by %s of repository %s, which dnf would install: to choose it, name %s instead under packages.roots", old.meta.NEVRA, h.meta.NEVRA, h.cand.Repo, h.meta.Name)
		}
		out = append(out, text)
	}
	return out
}

// obsoleteRoots says which roots that cannot be had are obsolete.
func (u *universe) obsoleteRoots(roots []root) []string {
	var out []string
	for _, r := range roots {
		if h := u.heir(r.matches[0]); h != nil && !h.pinned {
			out = append(out, fmt.Sprintf("%s is obsoleted by %s: name %s instead", u.pkgs[r.matches[0]].meta.NEVRA, h.meta.NEVRA, h.meta.Name))
		}
	}
	return out
}

// successor names, in a clause to append, a package that obsoletes a name that
// no repository has.
func (u *universe) successor(name string) string {
	for _, o := range u.obsoletes[name] {
		if m := u.pkgs[o.pkg].meta; m.Name != name && o.rel.Op == nevra.Any {
			return fmt.Sprintf("; %s obsoletes it: name %s instead", m.NEVRA, m.Name)
		}
	}
	for _, o := range u.obsoletes[name] {
		if m := u.pkgs[o.pkg].meta; m.Name != name {
			return fmt.Sprintf("; %s obsoletes %s: name %s instead", m.NEVRA, o.rel, m.Name)
		}
	}
	return ""
}
