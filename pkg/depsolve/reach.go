package depsolve

import (
	"slices"
)

// reacher collects the packages that can matter for the roots: what could be
// chosen on any way, and the installed packages that could be touched by it.
type reacher struct {
	u       *universe
	allowed []bool
	seen    []bool
	queue   []id
	// installed packages by what can touch them
	needing  map[id][]id // by a package: the installed ones with a demand that it satisfies
	opposing map[id][]id // by a candidate: the installed ones that conflict with it
}

// reach returns what can matter, ascending.
func (u *universe) reach(roots []root, first []id, allowed []bool) []id {
	r := &reacher{u: u, allowed: allowed, seen: make([]bool, len(u.pkgs)), needing: map[id][]id{}, opposing: map[id][]id{}}
	r.indexInstalled()
	for _, x := range roots {
		r.add(x.matches...)
	}
	r.add(first...)
	if u.weak {
		for i, p := range u.pkgs {
			if len(p.meta.Supplements) > 0 {
				r.add(i)
			}
		}
	}
	for len(r.queue) > 0 {
		p := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		r.expand(p)
	}
	var out []id
	for i, ok := range r.seen {
		if ok {
			out = append(out, i)
		}
	}
	return out
}

func (r *reacher) add(list ...id) {
	for _, p := range list {
		if !r.seen[p] && (r.allowed == nil || r.allowed[p] || r.u.pkgs[p].installed) {
			r.seen[p] = true
			r.queue = append(r.queue, p)
		}
	}
}

func (r *reacher) addLeaves(f *formula) {
	f.leaves(true, func(l *formula, _ bool) { r.add(l.providers...) })
}

// indexInstalled notes what can touch which installed package. Those with
// negations in their relations may be touched by anything, so they are in.
func (r *reacher) indexInstalled() {
	for _, b := range r.u.installed {
		for _, d := range r.u.demands(b) {
			d.f.leaves(true, func(l *formula, positive bool) {
				if !positive {
					r.add(b)
				}
				for _, p := range l.providers {
					if r.u.pkgs[p].installed {
						r.needing[p] = append(r.needing[p], b)
					}
				}
			})
		}
		for _, d := range r.u.conflicts(b) {
			if d.f.kind != leaf {
				r.add(b)
			}
			d.f.leaves(true, func(l *formula, _ bool) {
				for _, p := range l.providers {
					r.opposing[p] = append(r.opposing[p], b)
				}
			})
		}
	}
}

func (r *reacher) expand(p id) {
	u := r.u
	for _, d := range u.demands(p) {
		r.addLeaves(d.f)
	}
	for _, d := range u.conflicts(p) {
		if d.f.kind != leaf {
			r.addLeaves(d.f)
		} else {
			r.add(slices.DeleteFunc(slices.Clone(d.f.providers), func(q id) bool { return !u.pkgs[q].installed })...)
		}
	}
	m := u.pkgs[p].meta
	if u.pkgs[p].installed {
		r.add(u.replacers(p)...)
		r.add(r.needing[p]...)
		return
	}
	r.add(r.opposing[p]...)
	for _, q := range u.byName[m.Name] {
		if u.pkgs[q].installed {
			r.add(q)
		}
	}
	r.add(u.replaced(p)...)
	for _, o := range u.obsoletes[m.Name] {
		if u.pkgs[o.pkg].installed {
			r.add(o.pkg)
		}
	}
	if u.weak {
		for _, rel := range m.Recommends {
			r.addLeaves(u.formula(rel, false))
		}
	}
}
