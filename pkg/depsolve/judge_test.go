package depsolve

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-air/gini"
	"github.com/go-air/gini/z"

	"kubecrate/pkg/nevra"
)

// judge checks by brute force, with nothing of the solver but the reading of
// rich dependencies, what must hold of a solution.
type judge struct {
	t      *testing.T
	final  []*nevra.Metadata // chosen, and installed that stay
	start  []*nevra.Metadata
	chosen map[*nevra.Metadata]bool
}

func provides(m *nevra.Metadata, r nevra.Relation) bool {
	return r.Matches(nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR}) ||
		slices.ContainsFunc(m.Provides, r.Matches) ||
		slices.ContainsFunc(m.Files, func(f nevra.File) bool { return f.Path == r.Name })
}

func satisfiedBy(set []*nevra.Metadata, r nevra.Relation, except *nevra.Metadata) bool {
	if r.Name[0] != '(' {
		return slices.ContainsFunc(set, func(m *nevra.Metadata) bool { return m != except && provides(m, r) })
	}
	n, err := parseRich(r.Name)
	if err != nil {
		return false
	}
	a, b := satisfiedBy(set, n.kids[0].rel, except), satisfiedBy(set, n.kids[1].rel, except)
	switch n.op {
	case "or":
		return a || b
	case "if":
		return a || !b
	}
	return a && b
}

func (j *judge) check(p Problem, s Solution, installed map[nevra.NEVRA]*nevra.Metadata) {
	t := j.t
	j.chosen = map[*nevra.Metadata]bool{}
	for _, c := range s.Chosen {
		j.chosen[c.Meta] = true
		j.final = append(j.final, c.Meta)
	}
	for _, n := range p.Baseline {
		b := installed[n]
		j.start = append(j.start, b)
		replaced := false
		for m := range j.chosen {
			newer := m.Name == b.Name && m.EVR.Compare(b.EVR) > 0
			obsoleted := m.Name != b.Name && slices.ContainsFunc(m.Obsoletes, func(r nevra.Relation) bool { return r.Matches(nevra.Relation{Name: b.Name, Op: nevra.EQ, EVR: b.EVR}) })
			if m.Name == b.Name && m.EVR.Compare(b.EVR) < 0 {
				t.Errorf("%s downgrades %s", m.NEVRA, b.NEVRA)
			}
			replaced = replaced || newer || obsoleted
		}
		if !replaced && !j.chosen[b] {
			j.final = append(j.final, b)
		}
	}
	for _, m := range j.final {
		for _, r := range m.Requires {
			if !strings.HasPrefix(r.Name, "rpmlib(") && !satisfiedBy(j.final, r, nil) && (j.chosen[m] || satisfiedBy(j.start, r, nil)) {
				t.Errorf("%s lacks %s", m.NEVRA, r)
			}
		}
		j.checkPairs(m)
	}
	for _, r := range p.Roots {
		if !slices.ContainsFunc(j.final, func(m *nevra.Metadata) bool { return nevra.ParsePin(r).Match(m.NEVRA) != nevra.NoForm }) {
			t.Errorf("root %s is missing", r)
		}
	}
	for _, c := range s.Chosen {
		if len(c.Why) == 0 {
			t.Errorf("%s was chosen without a reason", c.Meta.NEVRA)
		}
		if _, ok := chainTo(s, c.Meta.NEVRA.String()); !ok {
			t.Errorf("no chain to %s", c.Meta.NEVRA)
		}
	}
}

func (j *judge) checkPairs(m *nevra.Metadata) {
	for _, o := range j.final {
		if o == m || slices.Contains(j.start, o) && slices.Contains(j.start, m) {
			continue
		}
		if o.Name == m.Name {
			j.t.Errorf("two versions: %s and %s", m.NEVRA, o.NEVRA)
		}
		for _, r := range m.Conflicts {
			if provides(o, r) {
				j.t.Errorf("%s conflicts with %s", m.NEVRA, o.NEVRA)
			}
		}
		for _, r := range m.Obsoletes {
			if r.Matches(nevra.Relation{Name: o.Name, Op: nevra.EQ, EVR: o.EVR}) {
				j.t.Errorf("%s obsoletes %s", m.NEVRA, o.NEVRA)
			}
		}
	}
}

// installedMeta is what the solver assumes of each baseline package.
func installedMeta(t *testing.T, p Problem) map[nevra.NEVRA]*nevra.Metadata {
	t.Helper()
	u, err := newUniverse(p)
	if err != nil {
		t.Fatal(err)
	}
	out := map[nevra.NEVRA]*nevra.Metadata{}
	for _, b := range u.installed {
		out[u.pkgs[b].meta.NEVRA] = u.pkgs[b].meta
	}
	return out
}

// solvable decides by one SAT instance over all packages, written here once
// more and in the plainest way.
func solvable(p Problem, installed map[nevra.NEVRA]*nevra.Metadata) bool {
	g := gini.New()
	var all []*nevra.Metadata
	isInstalled := map[*nevra.Metadata]bool{}
	for _, n := range p.Baseline {
		m := installed[n]
		all, isInstalled[m] = append(all, m), true
	}
	start := slices.Clone(all)
	for _, c := range p.Candidates {
		if !isInstalled[c.Meta] {
			all = append(all, c.Meta)
		}
	}
	x := map[*nevra.Metadata]z.Lit{}
	for _, m := range all {
		x[m] = g.Lit()
	}
	clause := func(lits ...z.Lit) {
		for _, l := range lits {
			g.Add(l)
		}
		g.Add(0)
	}
	providers := func(r nevra.Relation) []z.Lit {
		var out []z.Lit
		for _, m := range all {
			if provides(m, r) {
				out = append(out, x[m])
			}
		}
		return out
	}
	require := func(m *nevra.Metadata, r nevra.Relation) {
		if r.Name[0] != '(' {
			clause(append(providers(r), x[m].Not())...)
			return
		}
		n, err := parseRich(r.Name)
		if err != nil {
			clause(x[m].Not())
			return
		}
		a, b := providers(n.kids[0].rel), providers(n.kids[1].rel)
		switch n.op {
		case "and":
			clause(append(a, x[m].Not())...)
			clause(append(b, x[m].Not())...)
		case "or":
			clause(append(append(a, b...), x[m].Not())...)
		case "if":
			for _, q := range b {
				clause(append(slices.Clone(a), x[m].Not(), q.Not())...)
			}
		}
	}
	for i, m := range all {
		packed := isInstalled[m] && slices.ContainsFunc(p.Candidates, func(c Candidate) bool { return c.Meta == m }) &&
			slices.ContainsFunc(p.Roots, func(r string) bool { return nevra.ParsePin(r).Match(m.NEVRA) != nevra.NoForm })
		for _, r := range m.Requires {
			if !isInstalled[m] || packed || satisfiedBy(start, r, nil) {
				require(m, r)
			}
		}
		keep := []z.Lit{x[m]}
		for k, o := range all {
			own := nevra.Relation{Name: o.Name, Op: nevra.EQ, EVR: o.EVR}
			mine := nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR}
			both := isInstalled[m] && isInstalled[o]
			if o.Name == m.Name && k < i && !both {
				clause(x[m].Not(), x[o].Not())
			}
			if o != m && !both && (slices.ContainsFunc(m.Conflicts, func(r nevra.Relation) bool { return provides(o, r) }) || slices.ContainsFunc(m.Obsoletes, own.Matches)) {
				clause(x[m].Not(), x[o].Not())
			}
			if o.Name == m.Name && isInstalled[m] && o.EVR.Compare(m.EVR) < 0 {
				clause(x[o].Not())
			}
			if !isInstalled[o] && (o.Name == m.Name && o.EVR.Compare(m.EVR) > 0 || o.Name != m.Name && slices.ContainsFunc(o.Obsoletes, mine.Matches)) {
				keep = append(keep, x[o])
			}
		}
		if isInstalled[m] {
			clause(keep...)
		}
	}
	for _, root := range p.Roots {
		var lits []z.Lit
		for _, m := range all {
			if nevra.ParsePin(root).Match(m.NEVRA) != nevra.NoForm {
				lits = append(lits, x[m])
			}
		}
		clause(lits...)
	}
	return g.Solve() == 1
}
