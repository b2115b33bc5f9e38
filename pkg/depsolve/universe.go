package depsolve

import (
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// id numbers the packages of a universe: candidates in the order of
// compareCandidates, then what is installed.
type id = int

// pkg is a candidate or an installed package.
type pkg struct {
	meta      *nevra.Metadata
	cand      *Candidate // nil where installed and held by no repository
	files     *nevra.Metadata
	installed bool
	multilib  bool
	kernel    bool // several versions may stand beside each other
	pinned    bool // a root matches it
	older     *pkg // this candidate would downgrade that installed package
}

// packed says whether p, if it stays, is an installed package that belongs to
// the closure all the same because a root names it. Its requirements count in
// full then.
func (p *pkg) packed() bool { return p.installed && p.pinned && p.cand != nil }

// isFor is why a package is left out that is for another architecture.
func isFor(arch string) string { return "is for " + arch }

// rejected is a candidate that was left out from the start, and why; such are
// kept to explain a failure.
type rejected struct {
	meta *nevra.Metadata
	why  string
}

type provide struct {
	pkg id
	at  int // index in meta.Provides, -1 for the package's own name
}

type obsolete struct {
	pkg id
	rel nevra.Relation
}

// universe is everything a problem speaks of, indexed. After newUniverse only
// the caches of formulas and, once, the index of files change.
type universe struct {
	arch      string
	weak      bool
	pkgs      []*pkg
	installed []id
	started   []bool // the target before anything is done: what is installed
	byName    map[string][]id
	provides  map[string][]provide
	files     map[string][]id
	obsoletes map[string][]obsolete
	rejected  map[string][]rejected

	leafs     map[nevra.Relation]*formula
	rich      map[string]*formula
	wanted    map[string]bool // paths that some relation names
	filelists func() error
	err       error // of filelists
	held      [][]demand
	clashing  [][]demand
}

func newUniverse(p Problem) (*universe, error) {
	if p.Arch == "" {
		return nil, fmt.Errorf("cannot solve package dependencies: no target architecture given")
	}
	u := &universe{
		arch: p.Arch, weak: p.Weak, filelists: p.Filelists,
		byName: map[string][]id{}, provides: map[string][]provide{}, obsoletes: map[string][]obsolete{},
		rejected: map[string][]rejected{}, leafs: map[nevra.Relation]*formula{}, rich: map[string]*formula{},
	}
	all, err := sortedCandidates(p.Candidates)
	if err != nil {
		return nil, err
	}
	for _, r := range p.Rejected {
		u.rejected[r.Meta.Name] = append(u.rejected[r.Meta.Name], rejected{r.Meta, r.Why})
	}
	baseline := cleanBaseline(p.Baseline)
	candidates, err := u.admit(all, baseline, p)
	if err != nil {
		return nil, err
	}
	u.addPackages(candidates, baseline)
	u.index()
	u.markDowngrades()
	u.indexFiles()
	return u, nil
}

// admit leaves out what cannot run on the target, what is excluded and what is
// there twice.
func (u *universe) admit(all []*Candidate, baseline []nevra.NEVRA, p Problem) ([]*Candidate, error) {
	second := map[string]bool{}
	for _, n := range baseline {
		if archAffinity(u.arch, n.Arch) == multilib {
			second[archFamily(n.Arch)] = true
		}
	}
	for _, r := range p.Roots {
		if i := strings.LastIndexByte(r, '.'); i >= 0 && archAffinity(u.arch, r[i+1:]) == multilib {
			second[archFamily(r[i+1:])] = true
		}
	}
	excluded, err := compileExcludes(p.Exclude)
	if err != nil {
		return nil, err
	}
	var out []*Candidate
	reject := func(c *Candidate, why string) {
		u.rejected[c.Meta.Name] = append(u.rejected[c.Meta.Name], rejected{c.Meta, why})
	}
	for _, c := range all {
		fit := archAffinity(u.arch, c.Meta.Arch)
		switch pattern := excluded.match(c.Meta.NEVRA); {
		case fit == foreign || fit == multilib && !second[archFamily(c.Meta.Arch)]:
			reject(c, isFor(c.Meta.Arch))
		case pattern != "":
			reject(c, fmt.Sprintf("is excluded by %q", pattern))
		case hasTwin(out, c):
		default:
			out = append(out, c)
		}
	}
	return out, nil
}

// hasTwin says whether c is in the sorted list already, from a repository of
// higher rank: the same NEVRA with the same checksum.
func hasTwin(list []*Candidate, c *Candidate) bool {
	for i := len(list) - 1; i >= 0 && sameNEVRA(list[i].Meta.NEVRA, c.Meta.NEVRA); i-- {
		if list[i].Checksum == c.Checksum {
			return true
		}
	}
	return false
}

// addPackages numbers the packages. A candidate that is installed already is
// the installed package, known in full.
func (u *universe) addPackages(candidates []*Candidate, baseline []nevra.NEVRA) {
	byName := map[string][]*Candidate{}
	for _, c := range candidates {
		byName[c.Meta.Name] = append(byName[c.Meta.Name], c)
	}
	taken := map[*Candidate]bool{}
	var there []*pkg
	for _, n := range baseline {
		p := &pkg{installed: true, multilib: archAffinity(u.arch, n.Arch) != native}
		for _, c := range byName[n.Name] {
			if sameNEVRA(c.Meta.NEVRA, n) {
				taken[c] = true
				if p.cand == nil || c.rank() < p.cand.rank() {
					p.cand, p.meta, p.files = c, c.Meta, c.Meta
				}
			}
		}
		if p.cand == nil {
			var like *nevra.Metadata
			if near := nearest(n, byName[n.Name]); near != nil {
				like = near.Meta
			}
			p.meta, p.files = asInstalled(n, like), like
		}
		there = append(there, p)
	}
	for _, c := range candidates {
		if !taken[c] {
			u.pkgs = append(u.pkgs, &pkg{meta: c.Meta, cand: c, files: c.Meta, multilib: archAffinity(u.arch, c.Meta.Arch) == multilib})
		}
	}
	for _, p := range there {
		u.installed = append(u.installed, len(u.pkgs))
		u.pkgs = append(u.pkgs, p)
	}
}

func (u *universe) index() {
	for n, p := range u.pkgs {
		m := p.meta
		p.kernel = installOnly(m)
		u.byName[m.Name] = append(u.byName[m.Name], n)
		u.provides[m.Name] = append(u.provides[m.Name], provide{n, -1})
		for at, r := range m.Provides {
			u.provides[r.Name] = append(u.provides[r.Name], provide{n, at})
		}
		for _, r := range m.Obsoletes {
			u.obsoletes[r.Name] = append(u.obsoletes[r.Name], obsolete{n, r})
		}
	}
	u.held = make([][]demand, len(u.pkgs))
	u.clashing = make([][]demand, len(u.pkgs))
	u.started = make([]bool, len(u.pkgs))
	for _, b := range u.installed {
		u.started[b] = true
	}
}

// markDowngrades finds the candidates that are older than what is installed.
func (u *universe) markDowngrades() {
	for _, b := range u.installed {
		old := u.pkgs[b]
		for _, c := range u.byName[old.meta.Name] {
			p := u.pkgs[c]
			if !p.installed && !p.kernel && archOverlap(p.meta.Arch, old.meta.Arch) && p.meta.EVR.Compare(old.meta.EVR) < 0 && p.older == nil {
				p.older = old
			}
		}
	}
}

// indexFiles maps the paths that some relation names to their owners; all
// other paths would only cost memory.
func (u *universe) indexFiles() {
	if u.wanted == nil {
		u.wanted = map[string]bool{}
		for _, p := range u.pkgs {
			for _, list := range [][]nevra.Relation{p.meta.Requires, p.meta.Conflicts, p.meta.Recommends, p.meta.Supplements, p.meta.Suggests, p.meta.Enhances} {
				for _, r := range list {
					u.wantPaths(r.Name)
				}
			}
		}
	}
	u.files = map[string][]id{}
	for i, p := range u.pkgs {
		if p.files == nil {
			continue
		}
		for _, f := range p.files.Files {
			if u.wanted[f.Path] {
				u.files[f.Path] = append(u.files[f.Path], i)
			}
		}
	}
}

// wantPaths notes the paths in the name of a relation, which may be rich.
func (u *universe) wantPaths(name string) {
	switch {
	case strings.HasPrefix(name, "/"):
		u.wanted[name] = true
	case strings.HasPrefix(name, "("):
		for word := range strings.FieldsSeq(name) {
			if word = strings.Trim(word, "()"); strings.HasPrefix(word, "/") {
				u.wanted[word] = true
			}
		}
	}
}

// providers returns who provides r, in order of number. Where fetch is set and
// r is a path without a known owner, the file lists are read first.
func (u *universe) providers(r nevra.Relation, fetch bool) []id {
	var out []id
	for _, e := range u.provides[r.Name] {
		m := u.pkgs[e.pkg].meta
		have := nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR}
		if e.at >= 0 {
			have = m.Provides[e.at]
		}
		if r.Matches(have) && (len(out) == 0 || out[len(out)-1] != e.pkg) {
			out = append(out, e.pkg)
		}
	}
	if !strings.HasPrefix(r.Name, "/") || r.Op != nevra.Any {
		return out
	}
	out = append(out, u.files[r.Name]...)
	if len(out) == 0 && fetch && u.filelists != nil && u.err == nil {
		read := u.filelists
		u.filelists = nil
		if err := read(); err != nil {
			u.err = fmt.Errorf("cannot read file lists, needed to find %s: %w", r.Name, err)
			return nil
		}
		u.indexFiles()
		out = append(out, u.files[r.Name]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// exclusive says whether a and b, two packages of one name, cannot both be
// present: other versions never can, and within one version what has the same
// architecture or none.
func exclusive(a, b *pkg) bool {
	if a.kernel && b.kernel {
		return sameNEVRA(a.meta.NEVRA, b.meta.NEVRA)
	}
	return a.meta.EVR.Compare(b.meta.EVR) != 0 || archOverlap(a.meta.Arch, b.meta.Arch)
}

// obsoletesPkg says whether a obsoletes b.
func obsoletesPkg(a, b *pkg) bool {
	own := nevra.Relation{Name: b.meta.Name, Op: nevra.EQ, EVR: b.meta.EVR}
	return a != b && slices.ContainsFunc(a.meta.Obsoletes, func(r nevra.Relation) bool { return r.Matches(own) })
}

// upgrades says whether candidate c takes the place of installed b because it
// is a newer version of it.
func upgrades(c, b *pkg) bool {
	return c.meta.Name == b.meta.Name && !c.kernel && archOverlap(c.meta.Arch, b.meta.Arch) && c.meta.EVR.Compare(b.meta.EVR) > 0
}

// replacers are the candidates that may take the place of installed b, those
// of its own name first, each group in order of preference.
func (u *universe) replacers(b id) []id {
	old := u.pkgs[b]
	var same, others []id
	for _, c := range u.byName[old.meta.Name] {
		if p := u.pkgs[c]; !p.installed && upgrades(p, old) {
			same = append(same, c)
		}
	}
	for _, o := range u.obsoletes[old.meta.Name] {
		p := u.pkgs[o.pkg]
		if !p.installed && p.meta.Name != old.meta.Name && obsoletesPkg(p, old) && !slices.Contains(others, o.pkg) {
			others = append(others, o.pkg)
		}
	}
	return append(u.prefer(same, old.meta.Name), u.prefer(others, old.meta.Name)...)
}

// replaced are the installed packages whose place candidate c takes.
func (u *universe) replaced(c id) []id {
	p := u.pkgs[c]
	if p.installed {
		return nil
	}
	var out []id
	for _, b := range u.byName[p.meta.Name] {
		if u.pkgs[b].installed && upgrades(p, u.pkgs[b]) {
			out = append(out, b)
		}
	}
	for _, r := range p.meta.Obsoletes {
		for _, b := range u.byName[r.Name] {
			old := u.pkgs[b]
			if old.installed && old.meta.Name != p.meta.Name && obsoletesPkg(p, old) && !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	return out
}
