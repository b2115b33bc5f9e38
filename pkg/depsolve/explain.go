package depsolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-air/gini/z"

	"kubecrate/pkg/nevra"
)

// explain returns the sentences of a minimal contradiction.
func (u *universe) explain(roots []root) []string {
	e := newEncoder(u, nil, true)
	e.encode(roots, nil)
	s := &speaker{u: u, roots: roots, core: e.core(), live: map[id]bool{}}
	s.spread()
	return s.sentences()
}

// core finds groups that contradict each other and of which none can be left
// out. The solver's own idea of the cause is where the search begins; then
// each group is left out for a trial, those farthest from the roots first.
func (e *encoder) core() []group {
	order := make(map[z.Lit]int, len(e.groups))
	all := make([]z.Lit, 0, len(e.groups))
	for i, g := range e.groups {
		order[e.chosen[g]] = i
		all = append(all, e.chosen[g])
	}
	unsat := func(lits []z.Lit) ([]z.Lit, bool) {
		e.g.Assume(lits...)
		if e.g.Solve() == 1 {
			return nil, false
		}
		var cause []z.Lit
		for _, l := range e.g.Why(nil) {
			if _, ok := order[l]; ok {
				cause = append(cause, l)
			}
		}
		slices.SortFunc(cause, func(a, b z.Lit) int { return order[a] - order[b] })
		return cause, true
	}
	cause, _ := unsat(all)
	for i := len(cause) - 1; i >= 0; i-- {
		if smaller, ok := unsat(slices.Delete(slices.Clone(cause), i, i+1)); ok {
			needed := len(cause) - 1 - i // the last ones are proved; they are in smaller too
			cause = smaller
			i = len(cause) - needed
		}
	}
	var out []group
	for _, l := range cause {
		out = append(out, e.groups[order[l]])
	}
	return out
}

// speaker puts the groups of a core into words. live are the packages that the
// core speaks of: of a hundred versions of a name, those that could be taken.
type speaker struct {
	u     *universe
	roots []root
	core  []group
	live  map[id]bool
}

// spread finds the live packages: what the roots match and what follows.
func (s *speaker) spread() {
	for changed := true; changed; {
		before := len(s.live)
		for _, g := range s.core {
			switch g.fact {
			case factRoot:
				s.mark(s.rootOf(g).matches)
			case factKeep:
				s.mark([]id{g.pkg})
				s.mark(s.u.replacers(g.pkg))
			case factRequires, factNeeds:
				if len(s.subjects(g, true)) > 0 {
					s.u.formula(g.rel, false).leaves(true, func(l *formula, _ bool) { s.mark(l.providers) })
				}
			}
		}
		changed = len(s.live) > before
	}
}

func (s *speaker) mark(list []id) {
	for _, p := range list {
		s.live[p] = true
	}
}

func (s *speaker) rootOf(g group) root {
	i := slices.IndexFunc(s.roots, func(r root) bool { return r.pin == g.name })
	return s.roots[i]
}

// subjects are the packages a group is about, only the live ones if there are.
func (s *speaker) subjects(g group, onlyLive bool) []id {
	if g.fact == factNeeds || g.fact == factKeep {
		return []id{g.pkg}
	}
	var all, live []id
	for _, p := range s.u.byName[g.name] {
		m := s.u.pkgs[p].meta
		var list []nevra.Relation
		switch g.fact {
		case factRequires:
			list = m.Requires
		case factConflicts:
			list = m.Conflicts
		case factObsoletes:
			list = m.Obsoletes
		}
		if slices.Contains(list, g.rel) && (g.fact != factRequires || !s.u.pkgs[p].installed || s.u.pkgs[p].packed()) {
			all = append(all, p)
			if s.live[p] {
				live = append(live, p)
			}
		}
	}
	if len(live) > 0 || onlyLive {
		return live
	}
	return all
}

func (s *speaker) sentences() []string {
	var out []string
	spoken := map[string]bool{} // names that some sentence is about
	for _, g := range s.core {
		if g.fact != factRoot {
			spoken[g.name] = true
		}
		for _, p := range s.objects(g) {
			spoken[s.u.pkgs[p].meta.Name] = true
		}
	}
	for _, g := range s.core {
		if text := s.sentence(g, spoken); text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// objects are the packages on the other side of a group.
func (s *speaker) objects(g group) []id {
	switch g.fact {
	case factConflicts:
		f := s.u.formula(g.rel, false)
		var out []id
		f.leaves(true, func(l *formula, positive bool) {
			if positive {
				out = append(out, l.providers...)
			}
		})
		return s.onlyLive(out)
	case factObsoletes:
		return s.onlyLive(slices.DeleteFunc(slices.Clone(s.u.byName[g.rel.Name]), func(p id) bool {
			m := s.u.pkgs[p].meta
			return !g.rel.Matches(nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR})
		}))
	}
	return nil
}

func (s *speaker) onlyLive(list []id) []id {
	live := slices.DeleteFunc(slices.Clone(list), func(p id) bool { return !s.live[p] })
	if len(live) > 0 {
		return live
	}
	return list
}

func (s *speaker) sentence(g group, spoken map[string]bool) string {
	u := s.u
	switch g.fact {
	case factRoot:
		r := s.rootOf(g)
		if slices.ContainsFunc(r.matches, func(p id) bool { return spoken[u.pkgs[p].meta.Name] }) {
			return ""
		}
		return fmt.Sprintf("%s is requested", g.name)
	case factRequires, factNeeds:
		return s.requires(g)
	case factConflicts:
		return fmt.Sprintf("%s with %s%s", s.subject(g, "conflict"), u.list(s.objects(g), "and"), s.nameOf(g))
	case factObsoletes:
		return fmt.Sprintf("%s %s%s", s.subject(g, "obsolete"), u.list(s.objects(g), "and"), s.nameOf(g))
	case factOne:
		return s.oneVersion(g)
	case factKeep:
		if r := u.replacers(g.pkg); len(r) > 0 {
			return fmt.Sprintf("%s may only be replaced by %s", u.list([]id{g.pkg}, ""), u.list(r, "or"))
		}
		return fmt.Sprintf("%s cannot be removed, and the repositories have nothing newer", u.list([]id{g.pkg}, ""))
	case factOlder:
		for _, p := range u.byName[g.name] {
			if old := u.pkgs[p].older; old != nil && s.live[p] {
				return fmt.Sprintf("%s would downgrade the installed %s", u.list(s.olderOf(g.name), "or"), old.meta.NEVRA)
			}
		}
	}
	return ""
}

func (s *speaker) olderOf(name string) []id {
	return slices.DeleteFunc(slices.Clone(s.u.byName[name]), func(p id) bool { return s.u.pkgs[p].older == nil || !s.live[p] })
}

// nameOf adds the relation where its text is not what the objects are called.
func (s *speaker) nameOf(g group) string {
	for _, p := range s.objects(g) {
		if s.u.pkgs[p].meta.Name != g.rel.Name {
			return fmt.Sprintf(" (%s)", g.rel)
		}
	}
	return ""
}

func (s *speaker) requires(g group) string {
	u := s.u
	f := u.formula(g.rel, false)
	subject := s.subject(g, "require")
	if f.kind != leaf {
		return fmt.Sprintf("%s %s", subject, g.rel)
	}
	if len(f.providers) == 0 {
		return fmt.Sprintf("%s %s, and nothing provides it%s", subject, g.rel, u.nearRelation(g.rel))
	}
	if len(f.providers) == 1 {
		return fmt.Sprintf("%s %s, which only %s provides", subject, g.rel, u.list(f.providers, ""))
	}
	return fmt.Sprintf("%s %s, provided by %s", subject, g.rel, u.list(u.prefer(f.providers, g.rel.Name), "or"))
}

// subject is what g is about and the verb in its number.
func (s *speaker) subject(g group, verb string) string {
	list := s.subjects(g, false)
	if len(list) == 1 {
		verb += "s"
	}
	return s.u.list(list, "and") + " " + verb
}

// oneVersion names the versions of one name that are wanted, and by whom.
func (s *speaker) oneVersion(g group) string {
	var sides []string
	side := func(list []id, by string) {
		of := slices.DeleteFunc(slices.Clone(list), func(p id) bool { return s.u.pkgs[p].meta.Name != g.name })
		if len(of) == 0 || len(of) < len(list) {
			return
		}
		if text := fmt.Sprintf("%s (%s)", s.u.list(of, "or"), by); !slices.Contains(sides, text) {
			sides = append(sides, text)
		}
	}
	for _, c := range s.core {
		switch c.fact {
		case factRoot:
			side(s.rootOf(c).matches, "wanted as "+c.name)
		case factRequires, factNeeds:
			if f := s.u.formula(c.rel, false); f.kind == leaf {
				by := s.subjects(c, false)
				if s.u.pkgs[by[0]].meta.Name != g.name {
					side(s.u.prefer(f.providers, g.name), fmt.Sprintf("wanted by %s: %s", s.u.list(by, "and"), c.rel))
				}
			}
		case factKeep:
			if len(s.u.replacers(c.pkg)) == 0 {
				side([]id{c.pkg}, "not to be removed")
			}
		}
	}
	if len(sides) < 2 {
		return fmt.Sprintf("only one version of %s can be installed", g.name)
	}
	return fmt.Sprintf("only one version of %s can be installed: %s", g.name, strings.Join(sides, " or "))
}

// list names packages; of many, the first ones and a count.
func (u *universe) list(list []id, conjunction string) string {
	const most = 3
	names := make([]string, 0, most+1)
	for i, p := range list {
		if i == most && len(list) > most+1 {
			names = append(names, fmt.Sprintf("%d others", len(list)-most))
			break
		}
		name := u.pkgs[p].meta.NEVRA.String()
		if u.pkgs[p].installed {
			name = "installed " + name
		}
		names = append(names, name)
	}
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + conjunction + " " + names[last]
}
