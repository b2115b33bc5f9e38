package depsolve

import (
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

type formulaKind uint8

const (
	leaf formulaKind = iota // one of providers is present
	and
	or
	not
	always
)

// formula is a relation with its providers looked up: a condition on which
// packages are present. Rich relations are broken down to and, or and not.
type formula struct {
	kind      formulaKind
	rel       nevra.Relation
	providers []id // of a leaf, ascending
	kids      []*formula
}

// demand is a relation of a package with its formula.
type demand struct {
	rel nevra.Relation
	f   *formula
}

// formula returns the meaning of r, cached.
func (u *universe) formula(r nevra.Relation, fetch bool) *formula {
	switch {
	case strings.HasPrefix(r.Name, "rpmlib("):
		return &formula{kind: always, rel: r}
	case strings.HasPrefix(r.Name, "("):
		return u.richFormula(r, fetch)
	}
	key := nevra.Relation{Name: r.Name, Op: r.Op, EVR: r.EVR}
	key.EVR.Epoch = normalEpoch(key.EVR.Epoch)
	f, ok := u.leafs[key]
	if ok && (len(f.providers) > 0 || !fetch || u.filelists == nil || !strings.HasPrefix(key.Name, "/")) {
		return f
	}
	if !ok {
		f = &formula{kind: leaf, rel: key}
		u.leafs[key] = f
	}
	f.providers = u.providers(key, fetch)
	return f
}

func (u *universe) richFormula(r nevra.Relation, fetch bool) *formula {
	if f, ok := u.rich[r.Name]; ok {
		return f
	}
	node, err := parseRich(r.Name)
	if err != nil {
		f := &formula{kind: leaf, rel: nevra.Relation{Name: r.Name}} // an unreadable name has no provider
		u.rich[r.Name] = f
		return f
	}
	f := u.translate(node, fetch)
	if fetch {
		u.rich[r.Name] = f
	}
	return f
}

// translate follows libsolv: "A if B else C" is (A or not B) and (C or B), "A
// unless B else C" is (A and not B) or (C and B).
func (u *universe) translate(n *richNode, fetch bool) *formula {
	if n.op == "" {
		return u.formula(n.rel, fetch)
	}
	if n.op == "with" || n.op == "without" {
		return &formula{kind: leaf, rel: nevra.Relation{Name: n.String()}, providers: u.members(n, fetch)}
	}
	kids := make([]*formula, 0, len(n.kids))
	for _, k := range n.kids {
		kids = append(kids, u.translate(k, fetch))
	}
	switch n.op {
	case "and":
		return &formula{kind: and, kids: kids}
	case "or":
		return &formula{kind: or, kids: kids}
	case "if":
		f := &formula{kind: or, kids: []*formula{kids[0], negate(kids[1])}}
		if len(kids) == 3 {
			f = &formula{kind: and, kids: []*formula{f, {kind: or, kids: []*formula{kids[2], kids[1]}}}}
		}
		return f
	default: // unless
		f := &formula{kind: and, kids: []*formula{kids[0], negate(kids[1])}}
		if len(kids) == 3 {
			f = &formula{kind: or, kids: []*formula{f, {kind: and, kids: []*formula{kids[2], kids[1]}}}}
		}
		return f
	}
}

func negate(f *formula) *formula { return &formula{kind: not, kids: []*formula{f}} }

// members are the packages that satisfy n each by itself.
func (u *universe) members(n *richNode, fetch bool) []id {
	if n.op == "" {
		return u.formula(n.rel, fetch).providers
	}
	out := slices.Clone(u.members(n.kids[0], fetch))
	for _, k := range n.kids[1:] {
		other := u.members(k, fetch)
		switch n.op {
		case "without":
			out = slices.DeleteFunc(out, func(x id) bool { return contains(other, x) })
		case "or":
			out = append(out, other...)
			slices.Sort(out)
			out = slices.Compact(out)
		default:
			out = slices.DeleteFunc(out, func(x id) bool { return !contains(other, x) })
		}
	}
	return out
}

func contains(sorted []id, x id) bool {
	_, ok := slices.BinarySearch(sorted, x)
	return ok
}

// String is n as written in a spec file.
func (n *richNode) String() string {
	if n.op == "" {
		return n.rel.String()
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, k := range n.kids {
		switch {
		case i == 2 && (n.op == "if" || n.op == "unless"):
			b.WriteString(" else ")
		case i > 0:
			b.WriteString(" " + n.op + " ")
		}
		b.WriteString(k.String())
	}
	b.WriteByte(')')
	return b.String()
}

// holds evaluates f where present tells which packages are there.
func (f *formula) holds(present []bool) bool {
	switch f.kind {
	case leaf:
		return slices.ContainsFunc(f.providers, func(p id) bool { return present[p] })
	case and:
		return !slices.ContainsFunc(f.kids, func(k *formula) bool { return !k.holds(present) })
	case or:
		return slices.ContainsFunc(f.kids, func(k *formula) bool { return k.holds(present) })
	case not:
		return !f.kids[0].holds(present)
	}
	return true
}

// holdsWith is holds as if package p were there too.
func (f *formula) holdsWith(present []bool, p id) bool {
	was := present[p]
	present[p] = true
	ok := f.holds(present)
	present[p] = was
	return ok
}

// leaves calls visit for each leaf of f; positive is false below an odd number
// of negations.
func (f *formula) leaves(positive bool, visit func(f *formula, positive bool)) {
	if f.kind == leaf {
		visit(f, positive)
		return
	}
	for _, k := range f.kids {
		k.leaves(positive != (f.kind == not), visit)
	}
}

// negated says whether f has a leaf whose absence could make it true.
func (f *formula) negated() bool {
	found := false
	f.leaves(true, func(_ *formula, positive bool) { found = found || !positive })
	return found
}

// without returns f with package p taken out of its positive leaves: a
// conflict does not concern the package that declares it.
func (f *formula) without(p id, positive bool) *formula {
	if f.kind == leaf {
		if !positive || !contains(f.providers, p) {
			return f
		}
		rest := slices.DeleteFunc(slices.Clone(f.providers), func(x id) bool { return x == p })
		return &formula{kind: leaf, rel: f.rel, providers: rest}
	}
	out := &formula{kind: f.kind, rel: f.rel}
	for _, k := range f.kids {
		out.kids = append(out.kids, k.without(p, positive != (f.kind == not)))
	}
	return out
}

// demands are the formulas of what package p requires. Of an installed package
// that is not packed again only those count which hold on the target as it is.
func (u *universe) demands(p id) []demand {
	if u.held[p] != nil {
		return u.held[p]
	}
	m := u.pkgs[p].meta
	whole := !u.pkgs[p].installed || u.pkgs[p].packed()
	out := make([]demand, 0, len(m.Requires))
	for _, r := range m.Requires {
		if f := u.formula(r, whole); f.kind != always && (whole || f.holds(u.started)) {
			out = append(out, demand{r, f})
		}
	}
	u.held[p] = out
	return out
}

// conflicts are the formulas that must not hold while p is present. What
// installed packages hold against each other is not our concern.
func (u *universe) conflicts(p id) []demand {
	if u.clashing[p] != nil {
		return u.clashing[p]
	}
	m := u.pkgs[p].meta
	out := make([]demand, 0, len(m.Conflicts))
	for _, r := range m.Conflicts {
		f := u.formula(r, false).without(p, true)
		if u.pkgs[p].installed && f.kind == leaf {
			f = &formula{kind: leaf, rel: f.rel, providers: u.onlyCandidates(f.providers)}
		}
		if f.kind == always || u.pkgs[p].installed && f.holds(u.started) {
			continue
		}
		if f.kind != leaf || len(f.providers) > 0 {
			out = append(out, demand{r, f})
		}
	}
	u.clashing[p] = out
	return out
}

func (u *universe) onlyCandidates(list []id) []id {
	return slices.DeleteFunc(slices.Clone(list), func(p id) bool { return u.pkgs[p].installed })
}
