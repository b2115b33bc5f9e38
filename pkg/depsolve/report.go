package depsolve

import (
	"fmt"
	"slices"

	"kubecrate/pkg/nevra"
)

// report turns a finished walk into the Solution.
func (u *universe) report(roots []root, w *walk) Solution {
	var s Solution
	r := &reporter{u: u, w: w, why: map[id][]Reason{}, instead: map[id][]id{}}
	r.collect(roots)
	picked := map[id]bool{}
	for i, p := range w.picks {
		picked[p] = true
		if warning := u.rootWarning(roots[i], p, w); warning != "" {
			s.Warnings = append(s.Warnings, warning)
		}
	}
	s.Warnings = append(s.Warnings, u.obsoleteWarnings(w)...)
	for _, p := range w.chosen {
		c := Choice{Candidate: *u.pkgs[p].cand, Root: picked[p], Weak: w.weak[p] && !picked[p], Why: r.why[p]}
		for _, b := range u.replaced(p) {
			old := u.pkgs[b].meta.NEVRA
			if old.Name != c.Meta.Name {
				c.Obsoletes = append(c.Obsoletes, old)
			}
			if c.Upgrades == nil {
				c.Upgrades = &old
			}
		}
		s.Chosen = append(s.Chosen, c)
	}
	return s
}

// rootWarning says where a root was not taken as the best that matches it.
func (u *universe) rootWarning(r root, pick id, w *walk) string {
	if pick < 0 {
		for _, m := range r.matches {
			if w.present[m] && u.pkgs[m].installed {
				return fmt.Sprintf("%s is not packed: the baseline has %s, and the repositories have nothing newer", r.pin, u.pkgs[m].meta.NEVRA)
			}
		}
		return fmt.Sprintf("%s is not packed: the baseline has it", r.pin)
	}
	best := r.matches[0]
	if best == pick || u.pkgs[best].older != nil {
		return ""
	}
	return fmt.Sprintf("%s: chose %s, because %s cannot be installed with the rest", r.pin, u.pkgs[pick].meta.NEVRA, u.pkgs[best].meta.NEVRA)
}

// reporter finds the direct reasons of each chosen package.
type reporter struct {
	u   *universe
	w   *walk
	why map[id][]Reason

	instead map[id][]id // by installed package: the chosen ones in its place
}

func (r *reporter) collect(roots []root) {
	u, w := r.u, r.w
	for i, p := range w.picks {
		if p >= 0 {
			r.why[p] = append(r.why[p], Reason{Root: roots[i].pin})
		}
	}
	for _, c := range w.chosen {
		for _, b := range u.replaced(c) {
			r.instead[b] = append(r.instead[b], c)
		}
	}
	stay := slices.Clone(u.started) // what is there without any choice
	for _, b := range u.installed {
		stay[b] = w.present[b]
	}
	for _, p := range w.chosen {
		was := stay[p]
		stay[p] = true
		for _, d := range u.demands(p) {
			r.blame(d, stay, Reason{By: u.pkgs[p].meta.NEVRA, Relation: d.rel}, p)
		}
		for _, d := range u.conflicts(p) { // "conflicts (a unless b)" asks for b
			r.blame(demand{d.rel, negate(d.f)}, stay, Reason{By: u.pkgs[p].meta.NEVRA, Relation: d.rel}, p)
		}
		if u.weak {
			r.collectWeak(p, stay)
		}
		stay[p] = was
	}
	for _, b := range u.installed {
		r.collectInstalled(b, stay)
	}
}

// blame gives the reason to every chosen package that d relies on; none does
// where d holds by what stays anyway and the chosen packages it speaks against.
func (r *reporter) blame(d demand, stay []bool, reason Reason, by id) {
	var unwanted, wanted []id
	d.f.leaves(true, func(l *formula, positive bool) {
		for _, q := range l.providers {
			switch {
			case !r.w.is[q] || r.u.pkgs[q].installed:
			case !positive:
				unwanted = append(unwanted, q)
			case q != by:
				wanted = append(wanted, q)
			}
		}
	})
	there := slices.DeleteFunc(unwanted, func(q id) bool { return stay[q] })
	for _, q := range there {
		stay[q] = true
	}
	if !d.f.holds(stay) {
		for _, q := range wanted {
			r.give(q, reason)
		}
	}
	for _, q := range there {
		stay[q] = false
	}
}

func (r *reporter) give(q id, reason Reason) {
	same := func(o Reason) bool {
		return o.By == reason.By && o.Relation.String() == reason.Relation.String() && o.Root == reason.Root
	}
	if !slices.ContainsFunc(r.why[q], same) {
		r.why[q] = append(r.why[q], reason)
	}
}

func (r *reporter) collectWeak(p id, stay []bool) {
	u, w := r.u, r.w
	m := u.pkgs[p].meta
	for _, rel := range m.Recommends {
		r.blame(demand{rel, u.formula(rel, false)}, stay, Reason{By: m.NEVRA, Relation: rel, Weak: true}, p)
	}
	if !w.weak[p] {
		return
	}
	for _, rel := range m.Supplements {
		u.formula(rel, false).leaves(true, func(l *formula, positive bool) {
			for _, q := range l.providers {
				if positive && w.is[q] && q != p {
					r.give(p, Reason{By: u.pkgs[q].meta.NEVRA, Relation: rel, Weak: true})
				}
			}
		})
	}
}

// collectInstalled blames the replacement of installed packages for what it
// made necessary: another package in the role of a provider that is gone, or
// the replacement of b, which would miss that provider or conflict.
func (r *reporter) collectInstalled(b id, stay []bool) {
	u, w := r.u, r.w
	installed := u.pkgs[b].meta.NEVRA
	for _, d := range u.demands(b) {
		r.collectBroken(b, d, stay)
	}
	for _, d := range u.conflicts(b) {
		r.collectBroken(b, demand{d.rel, negate(d.f)}, stay)
	}
	if w.present[b] {
		return
	}
	for _, p := range w.chosen {
		for _, d := range u.conflicts(p) {
			if !negate(d.f).holdsWith(w.present, b) {
				r.replacersGet(b, p, Reason{Relation: d.rel, Installed: &installed})
			}
		}
		own := nevra.Relation{Name: u.pkgs[p].meta.Name, Op: nevra.EQ, EVR: u.pkgs[p].meta.EVR}
		beside := own.Name == installed.Name && exclusive(u.pkgs[p], u.pkgs[b])
		if !u.pkgs[p].installed && (beside || obsoletesPkg(u.pkgs[b], u.pkgs[p])) {
			r.replacersGet(b, p, Reason{Relation: own, Installed: &installed})
		}
	}
}

// collectBroken handles one condition d that held for installed b.
func (r *reporter) collectBroken(b id, d demand, stay []bool) {
	u, w := r.u, r.w
	reason := Reason{Relation: d.rel, Installed: &u.pkgs[b].meta.NEVRA}
	switch {
	case w.present[b]:
		r.breakers(d.f, func(by id) {
			reason.By = u.pkgs[by].meta.NEVRA
			r.blame(d, stay, reason, by)
		})
	case !d.f.holdsWith(w.present, b):
		r.breakers(d.f, func(by id) { r.replacersGet(b, by, reason) })
	}
}

// breakers calls visit for each chosen package that made f, which held on the
// target, less true: by replacing a package that f wants, or by being one that
// f does not want.
func (r *reporter) breakers(f *formula, visit func(by id)) {
	f.leaves(true, func(l *formula, positive bool) {
		for _, q := range l.providers {
			switch {
			case !positive && r.w.is[q]:
				visit(q)
			case positive && r.u.pkgs[q].installed && !r.w.present[q]:
				for _, c := range r.instead[q] {
					visit(c)
				}
			}
		}
	})
}

// replacersGet gives the reason to the chosen packages that replaced b.
func (r *reporter) replacersGet(b, by id, reason Reason) {
	reason.By = r.u.pkgs[by].meta.NEVRA
	for _, c := range r.instead[b] {
		if c != by {
			r.give(c, reason)
		}
	}
}
