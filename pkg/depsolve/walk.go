package depsolve

import (
	"slices"

	"kubecrate/pkg/nevra"
)

// walk chooses packages one after the other. Without an oracle it takes the
// first package that is not in plain contradiction to those chosen, and fails
// where there is none; with one it takes only what is part of a solution.
type walk struct {
	u       *universe
	oracle  *oracle
	allowed []bool // if not nil, what may be chosen
	present []bool // by id: chosen, or installed and not replaced
	chosen  []id
	is      map[id]bool // chosen
	next    int         // in chosen: whose requirements are walked next
	picks   []id        // by root: what it led to, -1 for an installed package that is not packed
	weak    map[id]bool // chosen for a weak dependency
	tried   map[id]bool // weak dependencies of these were looked at
	roots   []root
	wishes  wishes

	clashes   []demand                    // plain conflicts of chosen packages
	clashers  []id                        // and whose they are
	obsoleted map[string][]nevra.Relation // obsoletes of chosen packages
}

func newWalk(u *universe) *walk {
	w := &walk{
		u: u, present: slices.Clone(u.started), is: map[id]bool{}, weak: map[id]bool{}, tried: map[id]bool{},
		obsoleted: map[string][]nevra.Relation{}, wishes: wishes{map[id]bool{}, map[id]bool{}},
	}
	for _, b := range u.installed {
		w.wished(b)
	}
	return w
}

// run chooses for the roots and then everything they need.
func (w *walk) run(roots []root) bool {
	w.roots = roots
	for _, r := range roots {
		pick := -1
		for _, m := range r.matches {
			if w.is[m] || w.stays(m) || w.possible(m) {
				pick = m
				break
			}
		}
		if pick < 0 {
			return false
		}
		if w.u.pkgs[pick].cand == nil {
			w.picks = append(w.picks, -1)
			continue
		}
		w.picks = append(w.picks, pick)
		w.choose(pick)
	}
	return w.settle()
}

// start chooses exactly the given packages and then everything they need.
func (w *walk) start(first []id) bool {
	for _, p := range first {
		if !w.is[p] && !w.stays(p) && !w.possible(p) {
			return false
		}
		w.choose(p)
	}
	return w.settle()
}

// stays says whether p is installed and may be relied upon to stay.
func (w *walk) stays(p id) bool {
	return w.u.pkgs[p].installed && w.present[p] && (w.oracle == nil || w.oracle.extends(w.chosen, p))
}

// choose adds p. An installed package that a root names is added too, though
// nothing changes by it.
func (w *walk) choose(p id) {
	if w.is[p] {
		return
	}
	w.is[p] = true
	w.chosen = append(w.chosen, p)
	w.wished(p)
	for _, b := range w.u.replaced(p) {
		w.present[b] = false
	}
	w.present[p] = true
	for _, c := range w.u.conflicts(p) {
		if c.f.kind == leaf {
			w.clashes, w.clashers = append(w.clashes, c), append(w.clashers, p)
		}
	}
	for _, r := range w.u.pkgs[p].meta.Obsoletes {
		w.obsoleted[r.Name] = append(w.obsoleted[r.Name], r)
	}
}

// possible says whether candidate c can be chosen on top of what is chosen.
func (w *walk) possible(c id) bool {
	p := w.u.pkgs[c]
	if p.installed || p.older != nil || w.allowed != nil && !w.allowed[c] || w.contradicts(c) {
		return false
	}
	for _, d := range w.u.demands(c) {
		if d.f.kind == leaf && len(d.f.providers) == 0 {
			return false
		}
	}
	return w.oracle == nil || w.oracle.extends(w.chosen, c)
}

// contradicts finds what can be seen without search: a chosen package that
// cannot stand beside c.
func (w *walk) contradicts(c id) bool {
	p := w.u.pkgs[c]
	for _, q := range w.u.byName[p.meta.Name] {
		if q != c && w.is[q] && exclusive(p, w.u.pkgs[q]) {
			return true
		}
	}
	for _, d := range w.u.conflicts(c) {
		if d.f.kind == leaf && slices.ContainsFunc(d.f.providers, func(q id) bool { return w.is[q] }) {
			return true
		}
	}
	for i, d := range w.clashes {
		if w.clashers[i] != c && contains(d.f.providers, c) {
			return true
		}
	}
	own := nevra.Relation{Name: p.meta.Name, Op: nevra.EQ, EVR: p.meta.EVR}
	if slices.ContainsFunc(w.obsoleted[p.meta.Name], func(r nevra.Relation) bool { return r.Matches(own) }) {
		return true
	}
	return slices.ContainsFunc(p.meta.Obsoletes, func(r nevra.Relation) bool {
		return slices.ContainsFunc(w.u.byName[r.Name], func(q id) bool { return q != c && w.is[q] && obsoletesPkg(p, w.u.pkgs[q]) })
	})
}

// settle walks requirements until nothing is left to do.
func (w *walk) settle() bool {
	for {
		for w.next < len(w.chosen) {
			p := w.chosen[w.next]
			w.next++
			for _, d := range w.u.demands(p) {
				if !w.satisfy(p, d.f, true, nil, d.rel.Name) {
					return false
				}
			}
		}
		count := len(w.chosen)
		if !w.repair() || w.u.err != nil {
			return false
		}
		if len(w.chosen) == count && w.u.weak && w.allowed == nil {
			w.chooseWeak()
		}
		if len(w.chosen) == count {
			return true
		}
	}
}

// satisfy chooses packages until p is gone or f is as wanted. The first options
// are tried before those that follow from f.
func (w *walk) satisfy(p id, f *formula, want bool, first []id, name string) bool {
	for w.present[p] && f.holds(w.present) != want {
		options := append(slices.Clone(first), w.options(f, want, name)...)
		if !w.take(options) {
			return false
		}
	}
	return true
}

// take chooses the first of the options that is possible. An oracle that
// refuses all of them knows of another way, which is taken then.
func (w *walk) take(options []id) bool {
	for _, c := range options {
		if !w.present[c] && !w.is[c] && w.possible(c) {
			w.choose(c)
			return true
		}
	}
	if w.oracle == nil || w.u.err != nil {
		return false
	}
	for c := range w.u.pkgs {
		if w.oracle.model[c] && !w.present[c] && !w.is[c] && !w.u.pkgs[c].installed {
			w.choose(c)
			return true
		}
	}
	return false
}

// options are the candidates whose presence could make f as wanted.
func (w *walk) options(f *formula, want bool, name string) []id {
	switch f.kind {
	case leaf:
		if want {
			if f.rel.Name != "" && f.rel.Name[0] != '(' {
				name = f.rel.Name
			}
			return w.u.preferWeakly(w.u.onlyCandidates(f.providers), name, w.wish)
		}
		var out []id
		for _, b := range f.providers {
			if w.present[b] && w.u.pkgs[b].installed {
				out = append(out, w.u.replacers(b)...)
			}
		}
		return out
	case not:
		return w.options(f.kids[0], !want, name)
	case and, or:
		var out []id
		for _, k := range f.kids {
			if k.holds(w.present) != want {
				out = append(out, w.options(k, want, name)...)
			}
		}
		return out
	}
	return nil
}

// repair looks for what the choices so far have broken: requirements that an
// installed package satisfied which is replaced now, installed packages whose
// requirements are gone or which conflict with a chosen one.
func (w *walk) repair() bool {
	for _, r := range w.roots { // one that an installed package satisfied
		if !slices.ContainsFunc(r.matches, func(m id) bool { return w.present[m] }) && !w.take(r.matches) {
			return false
		}
	}
	for i := 0; i < len(w.chosen); i++ {
		p := w.chosen[i]
		for _, d := range w.u.demands(p) {
			if !w.satisfy(p, d.f, true, nil, d.rel.Name) {
				return false
			}
		}
		for _, d := range w.u.conflicts(p) {
			if !w.satisfy(p, d.f, false, nil, d.rel.Name) {
				return false
			}
		}
	}
	for _, b := range w.u.installed {
		if !w.present[b] {
			continue
		}
		var replacers []id // the newer version of what is broken comes first, as with yum
		for _, d := range w.u.demands(b) {
			if w.present[b] && !d.f.holds(w.present) {
				replacers = w.u.replacers(b)
				if !w.satisfy(b, d.f, true, replacers, d.rel.Name) {
					return false
				}
			}
		}
		for _, d := range w.u.conflicts(b) {
			if !w.satisfy(b, d.f, false, w.u.replacers(b), d.rel.Name) {
				return false
			}
		}
		if w.present[b] && w.inTheWay(b) && !w.take(w.u.replacers(b)) {
			return false
		}
	}
	return true
}

// inTheWay says whether installed b must go because a chosen package could not
// be installed beside it: one that b obsoletes, or its own name in another
// version for another architecture.
func (w *walk) inTheWay(b id) bool {
	old := w.u.pkgs[b]
	chosen := func(q id) bool { return w.is[q] && !w.u.pkgs[q].installed }
	for _, q := range w.u.byName[old.meta.Name] {
		if chosen(q) && exclusive(w.u.pkgs[q], old) {
			return true
		}
	}
	for _, r := range old.meta.Obsoletes {
		for _, q := range w.u.byName[r.Name] {
			if chosen(q) && obsoletesPkg(old, w.u.pkgs[q]) {
				return true
			}
		}
	}
	return false
}

// chooseWeak adds what chosen packages recommend, and what supplements what is
// present and was not before, as far as that is possible.
func (w *walk) chooseWeak() {
	for i := 0; i < len(w.chosen); i++ {
		p := w.chosen[i]
		if w.tried[p] || w.u.pkgs[p].installed {
			continue
		}
		w.tried[p] = true
		for _, r := range w.u.pkgs[p].meta.Recommends {
			if f := w.u.formula(r, false); !f.holds(w.present) {
				w.takeWeak(w.options(f, true, r.Name))
			}
		}
	}
	for c, p := range w.u.pkgs {
		if len(p.meta.Supplements) == 0 || p.installed || w.present[c] || w.namePresent(p.meta.Name) {
			continue
		}
		for _, r := range p.meta.Supplements {
			if f := w.u.formula(r, false); f.holds(w.present) && !f.holds(w.u.started) {
				w.takeWeak(w.u.prefer(w.u.onlyCandidates(w.u.byName[p.meta.Name]), p.meta.Name))
				break
			}
		}
	}
}

func (w *walk) takeWeak(options []id) {
	for _, c := range options {
		if !w.present[c] && w.possible(c) {
			w.choose(c)
			w.weak[c] = true
			return
		}
	}
}

func (w *walk) namePresent(name string) bool {
	return slices.ContainsFunc(w.u.byName[name], func(q id) bool { return w.present[q] })
}
