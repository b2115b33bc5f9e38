package depsolve

import "slices"

// prune takes out of a solution what became redundant by later choices: it
// looks, last chosen first, for packages without which the others still hold a
// solution. Roots, and what was taken for weak dependencies, stay.
func (u *universe) prune(w *walk) (*walk, error) {
	kept := map[id]bool{} // proved to be needed by trying
	for {
		smaller := u.pruneOne(w, kept)
		if u.err != nil {
			return nil, u.err
		}
		if smaller == nil {
			return w, nil
		}
		w = smaller
	}
}

// pruneOne returns a smaller solution, or nil. kept collects what cannot go;
// as solutions only shrink, that stays true.
func (u *universe) pruneOne(w *walk, kept map[id]bool) *walk {
	forced := w.forced()
	needed := u.essential(w, forced)
	for i := len(w.chosen) - 1; i >= 0; i-- {
		p := w.chosen[i]
		if needed[p] || kept[p] {
			continue
		}
		allowed := make([]bool, len(u.pkgs))
		for _, q := range w.chosen {
			allowed[q] = q != p
		}
		if s := u.restricted(w, forced, allowed); s != nil {
			return s
		}
		kept[p] = true
	}
	return nil
}

// restricted solves again with the same roots and nothing but what is allowed.
func (u *universe) restricted(w *walk, forced []id, allowed []bool) *walk {
	again := func(o *oracle) *walk {
		s := newWalk(u)
		s.oracle, s.allowed, s.roots, s.picks, s.weak = o, allowed, w.roots, w.picks, w.weak
		if !s.start(forced) {
			return nil
		}
		return s
	}
	if s := again(nil); s != nil || u.err != nil {
		return s
	}
	o := newOracle(u, w.roots, forced, allowed)
	if !o.solve(nil) {
		return nil
	}
	return again(o)
}

// forced are the packages of w that are there in their own right.
func (w *walk) forced() []id {
	var out []id
	for _, p := range w.picks {
		if p >= 0 && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for _, p := range w.chosen {
		if w.weak[p] {
			out = append(out, p)
		}
	}
	return out
}

// essential finds, without search, packages that cannot go: from the forced
// ones on, those without which a requirement would not hold, even if all other
// chosen packages stayed and what they replaced came back. What it does not
// find is decided by trying.
func (u *universe) essential(w *walk, forced []id) map[id]bool {
	e := &essentials{u: u, w: w, is: map[id]bool{}, most: slices.Clone(u.started)}
	for _, p := range w.chosen {
		e.most[p] = true
	}
	for _, p := range forced {
		e.add(p)
	}
	for {
		for len(e.queue) > 0 {
			p := e.queue[0]
			e.queue = e.queue[1:]
			for _, d := range u.demands(p) {
				for _, q := range soleProviders(d.f, e.most) {
					e.add(q)
				}
			}
		}
		for _, q := range w.chosen {
			if !e.is[q] && e.wouldBreak(q) {
				e.add(q)
			}
		}
		if len(e.queue) == 0 {
			return e.is
		}
	}
}

type essentials struct {
	u     *universe
	w     *walk
	is    map[id]bool
	queue []id
	most  []bool // what could be there at most, given what cannot go
}

func (e *essentials) add(p id) {
	if e.is[p] || !e.w.is[p] {
		return
	}
	e.is[p] = true
	e.queue = append(e.queue, p)
	for _, b := range e.u.replaced(p) {
		e.most[b] = false
	}
}

// wouldBreak says whether an installed package that q alone replaces would lack
// something if it came back.
func (e *essentials) wouldBreak(q id) bool {
	for _, b := range e.u.replaced(q) {
		others := slices.ContainsFunc(e.u.replacers(b), func(c id) bool { return c != q && e.w.is[c] })
		if others || !e.most[b] {
			continue
		}
		e.most[q] = false
		broken := slices.ContainsFunc(e.u.demands(b), func(d demand) bool { return !d.f.negated() && !d.f.holds(e.most) })
		e.most[q] = true
		if broken {
			return true
		}
	}
	return false
}

// soleProviders are the packages without each of which f would not hold. For a
// formula with negations, which less may make true, none are named.
func soleProviders(f *formula, present []bool) []id {
	if f.negated() {
		return nil
	}
	var out []id
	f.leaves(true, func(l *formula, _ bool) {
		for _, q := range l.providers {
			if !present[q] {
				continue
			}
			present[q] = false
			if !f.holds(present) {
				out = append(out, q)
			}
			present[q] = true
		}
	})
	return out
}
