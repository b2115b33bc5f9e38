package depsolve

import (
	"slices"

	"github.com/go-air/gini"
	"github.com/go-air/gini/z"

	"kubecrate/pkg/nevra"
)

// fact is the kind of a group of clauses that one sentence explains.
type fact uint8

const (
	factRoot      fact = iota // a root is wanted
	factRequires              // packages of a name require something
	factConflicts             // packages of a name conflict with something
	factObsoletes             // packages of a name obsolete something
	factOne                   // one version of a name
	factKeep                  // an installed package stays unless it is replaced
	factNeeds                 // an installed package requires something
	factOlder                 // an installed package is not downgraded
)

// group names the clauses that stand or fall together when a contradiction is
// explained. All versions of a package that require the same are one group.
type group struct {
	fact fact
	name string // of the package; of a root the pin
	rel  nevra.Relation
	pkg  id // of an installed package
}

// encoder writes the clauses of one instance. There is one variable for each
// package that can matter, "it is present in the end", and one for each
// relation, "it is satisfied".
type encoder struct {
	u       *universe
	g       *gini.Gini
	lits    []z.Lit // by id; 0 for what cannot matter
	order   []id    // those that can
	forms   map[*formula]z.Lit
	explain bool
	chosen  map[group]z.Lit // the literal that switches a group on
	groups  []group         // in order of appearance
	allowed []bool          // nil, or the candidates that may be present
}

func newEncoder(u *universe, allowed []bool, explain bool) *encoder {
	return &encoder{
		u: u, lits: make([]z.Lit, len(u.pkgs)), forms: map[*formula]z.Lit{},
		explain: explain, chosen: map[group]z.Lit{}, allowed: allowed,
	}
}

// encode writes the whole instance for what can be reached from the roots and
// from the packages in first, all of which are wanted too.
func (e *encoder) encode(roots []root, first []id) {
	e.order = e.u.reach(roots, first, e.allowed)
	e.g = gini.NewVc(2*len(e.order)+16, 8*len(e.order)+16)
	for _, p := range e.order {
		e.lits[p] = e.g.Lit()
	}
	for _, r := range roots {
		e.add(group{fact: factRoot, name: r.pin}, e.present(r.matches)...)
	}
	for _, p := range first {
		e.add(group{fact: factRoot, name: e.u.pkgs[p].meta.Name}, e.lits[p])
	}
	for _, p := range e.order {
		e.encodePackage(p)
	}
	e.encodeVersions()
}

// add writes the clause "one of lits", switched by group where a contradiction
// is to be explained.
func (e *encoder) add(g group, lits ...z.Lit) {
	if e.explain {
		s, ok := e.chosen[g]
		if !ok {
			s = e.g.Lit()
			e.chosen[g] = s
			e.groups = append(e.groups, g)
		}
		e.g.Add(s.Not())
	}
	e.clause(lits...)
}

func (e *encoder) clause(lits ...z.Lit) {
	for _, l := range lits {
		e.g.Add(l)
	}
	e.g.Add(z.LitNull)
}

// present maps packages to their variables, leaving out what cannot matter.
func (e *encoder) present(list []id) []z.Lit {
	out := make([]z.Lit, 0, len(list))
	for _, p := range list {
		if e.lits[p] != z.LitNull {
			out = append(out, e.lits[p])
		}
	}
	return out
}

func (e *encoder) encodePackage(p id) {
	u, x := e.u, e.lits[p]
	it := u.pkgs[p]
	name := it.meta.Name
	needs := group{fact: factRequires, name: name}
	if it.installed {
		needs = group{fact: factNeeds, name: name, pkg: p}
		e.add(group{fact: factKeep, name: name, pkg: p}, append(e.present(u.replacers(p)), x)...)
	} else if it.older != nil {
		e.add(group{fact: factOlder, name: name}, x.Not())
	}
	for _, d := range u.demands(p) {
		needs.rel = d.rel
		e.add(needs, x.Not(), e.formula(d.f))
	}
	for _, d := range u.conflicts(p) {
		g := group{fact: factConflicts, name: name, rel: d.rel}
		if d.f.kind != leaf || len(d.f.providers) > 8 {
			e.add(g, x.Not(), e.formula(d.f).Not())
			continue
		}
		for _, q := range e.present(d.f.providers) {
			e.add(g, x.Not(), q.Not())
		}
	}
	for _, r := range it.meta.Obsoletes {
		for _, q := range u.byName[r.Name] {
			other := u.pkgs[q]
			own := nevra.Relation{Name: r.Name, Op: nevra.EQ, EVR: other.meta.EVR}
			if q != p && e.lits[q] != z.LitNull && !(it.installed && other.installed) && r.Matches(own) {
				e.add(group{fact: factObsoletes, name: name, rel: r}, x.Not(), e.lits[q].Not())
			}
		}
	}
}

// formula returns the literal that is true exactly where f holds.
func (e *encoder) formula(f *formula) z.Lit {
	if l, ok := e.forms[f]; ok {
		return l
	}
	if f.kind == not {
		return e.formula(f.kids[0]).Not()
	}
	l := e.g.Lit()
	e.forms[f] = l
	switch f.kind {
	case leaf, or:
		parts := e.present(f.providers)
		for _, k := range f.kids {
			parts = append(parts, e.formula(k))
		}
		for _, p := range parts {
			e.clause(l, p.Not())
		}
		e.clause(append(parts, l.Not())...)
	case and:
		all := []z.Lit{l}
		for _, k := range f.kids {
			p := e.formula(k)
			e.clause(l.Not(), p)
			all = append(all, p.Not())
		}
		e.clause(all...)
	default:
		e.clause(l)
	}
	return l
}

// encodeVersions says, of each name, that one version may be present.
func (e *encoder) encodeVersions() {
	byName := map[string][]id{}
	var names []string
	for _, p := range e.order {
		n := e.u.pkgs[p].meta.Name
		if byName[n] == nil {
			names = append(names, n)
		}
		byName[n] = append(byName[n], p)
	}
	for _, n := range names {
		list := byName[n]
		if len(list) <= 16 || e.u.pkgs[list[0]].kernel || e.installedTwice(list) {
			e.pairs(n, list, exclusive)
		} else {
			e.ladder(n, list)
		}
	}
}

func (e *encoder) installedTwice(list []id) bool {
	first := slices.IndexFunc(list, func(p id) bool { return e.u.pkgs[p].installed })
	return first >= 0 && slices.ContainsFunc(list[first+1:], func(p id) bool {
		return e.u.pkgs[p].installed && e.u.pkgs[p].meta.EVR.Compare(e.u.pkgs[list[first]].meta.EVR) != 0
	})
}

func (e *encoder) pairs(name string, list []id, clash func(a, b *pkg) bool) {
	for i, p := range list {
		for _, q := range list[:i] {
			a, b := e.u.pkgs[p], e.u.pkgs[q]
			if !(a.installed && b.installed) && clash(a, b) {
				e.add(group{fact: factOne, name: name}, e.lits[p].Not(), e.lits[q].Not())
			}
		}
	}
}

// ladder says the same as pairs with a number of clauses that grows with the
// number of versions and not with its square: below[i] is "the version is the
// i-th or an earlier one".
func (e *encoder) ladder(name string, list []id) {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b id) int { return e.u.pkgs[b].meta.EVR.Compare(e.u.pkgs[a].meta.EVR) })
	one := group{fact: factOne, name: name}
	before := z.LitNull
	for len(sorted) > 0 {
		evr := e.u.pkgs[sorted[0]].meta.EVR
		n := slices.IndexFunc(sorted, func(p id) bool { return e.u.pkgs[p].meta.EVR.Compare(evr) != 0 })
		if n < 0 {
			n = len(sorted)
		}
		upTo := e.g.Lit()
		for _, p := range sorted[:n] {
			e.add(one, e.lits[p].Not(), upTo)
			if before != z.LitNull {
				e.add(one, e.lits[p].Not(), before.Not())
			}
		}
		if before != z.LitNull {
			e.add(one, before.Not(), upTo)
		}
		e.pairs(name, sorted[:n], func(a, b *pkg) bool { return archOverlap(a.meta.Arch, b.meta.Arch) })
		before, sorted = upTo, sorted[n:]
	}
}
