// Package depsolve computes the closure of RPM dependencies for a target host:
// candidates in, chosen packages with their reasons out.
//
// # What is solved
//
// A target has a baseline of installed packages, maybe none. Solve looks for a
// set of candidates that, installed over that baseline in one transaction,
// leaves every root present, every requirement satisfied and no conflict:
//
//   - A requirement is satisfied by a chosen package, the requiring one
//     included, or by a baseline package that stays. Requirements named
//     "rpmlib(...)" are rpm's own business.
//   - Conflicts match what other packages provide, obsoletes match their names
//     and versions only. A package does not conflict with itself.
//   - One version of a name may be present. Architectures of one name may
//     stand beside each other in the same version. Kernels are exempt.
//   - A baseline package is replaced only by a newer candidate of its name or
//     by one that obsoletes it; it is never downgraded and never just removed.
//     If that breaks what another baseline package requires, the other one is
//     upgraded too. What was already broken on the target is left alone.
//
// # What is preferred
//
// Requirements are walked breadth-first from the roots, in the order of the
// packages' own metadata. Of the packages that could satisfy one, the first is
// taken that is consistent with everything chosen so far, in the order: native
// before foreign (multilib) architecture, matched by a root, repository
// priority, not obsoleted by another of them, recommended or suggested by what is there (or supplementing or
// enhancing it, see wish), name equal to what is required, shorter name, name,
// newest, checksum. A repository of lower priority is thus asked later, never left
// out, as yum's priorities plugin without check_obsoletes would do.
//
// Consistent means that a whole solution exists which contains what is chosen
// so far. A walk that takes the first package everywhere and meets no
// contradiction is its own proof; only where one is met does a SAT solver
// decide, and it decides yes or no, never which. So the result is a function
// of the problem alone, whatever the order of its candidates.
package depsolve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// Candidate is a package of a repository. Priority ranks the repository, lower
// first, 0 being 99 as in yum. Checksum is the package's own, as the metadata
// has it; together with Meta it tells equal packages of two repositories. ID
// is the caller's and comes back in Choice.
type Candidate struct {
	Meta     *nevra.Metadata
	Repo     string
	Priority int
	Checksum string
	ID       int
}

// Rejected is a package that is not a candidate, and why, as a clause that follows
// its name: "has no checksum". Any part of Meta may be missing.
type Rejected struct {
	Meta *nevra.Metadata
	Why  string
}

// Problem is what Solve solves.
type Problem struct {
	// Arch is the target's architecture as rpm names it: "x86_64", "aarch64".
	// Candidates for others are left out, noarch aside. Packages of a second
	// architecture the target can run (i686 on x86_64) are considered only
	// where a root names that architecture or the baseline has it.
	Arch string
	// Roots are what is wanted: "name", "name.arch", "name-ver",
	// "name-ver-rel", "name-ver-rel.arch", an epoch before the version or
	// before the name; where no package is called so, a capability, a
	// relation "name >= 1.2" or an absolute path. A shell pattern in one of these
	// forms means a package of every name that it matches.
	Roots []string
	// Exclude holds names or pins as in Roots, with shell wildcards; what
	// matches is not a candidate.
	Exclude []string
	// Weak takes Recommends and Supplements as well, where they can be had.
	Weak bool
	// Baseline are the packages installed on the target. Their metadata comes
	// from the candidate of equal NEVRA; else from the nearest version of that
	// name, relations to its own version rewritten; else such a package
	// provides its name alone.
	Baseline   []nevra.NEVRA
	Candidates []Candidate
	// Rejected are packages of the repositories that cannot be taken. They are
	// no candidates; an error that they might have spared names them.
	Rejected []Rejected
	// Filelists, if not nil, is called at most once, when a file is required
	// that no package lists. When it returns, the Files of every Meta are
	// complete.
	Filelists func() error
}

// Solution is a closure. Chosen holds the roots in order, then the others in
// the order in which a breadth-first walk of the requirements meets them.
type Solution struct {
	Chosen   []Choice
	Warnings []string
}

// Choice is a package of the closure. Why holds the direct reasons, the one
// nearest to a root first. A root that the baseline has in the very version
// that is asked for is packed all the same. Upgrades is the baseline package it replaces: the
// older one of its name, or else the first that it obsoletes; Obsoletes are
// all baseline packages of other names that it replaces.
type Choice struct {
	Candidate
	Root      bool
	Weak      bool // present only for a weak dependency
	Why       []Reason
	Upgrades  *nevra.NEVRA
	Obsoletes []nevra.NEVRA
}

// Reason is why a package was chosen. For a root, Root is the pin as given and
// By is zero. Else package By requires Relation. Where Installed is set, it is
// a baseline package which By would break: its requirement Relation would be
// left without a provider, or Relation is what keeps the two apart.
type Reason struct {
	By        nevra.NEVRA
	Relation  nevra.Relation
	Root      string
	Installed *nevra.NEVRA
	Weak      bool // Relation is a Recommends or Supplements
}

// Unsolvable says that no closure exists. Reasons is a minimal set of facts
// that contradict each other, a plain sentence each: without any one of them
// there would be no contradiction. Where several roots match no package at
// all, each of them is a reason. Obsolete says which roots other packages
// obsolete, which may be why.
type Unsolvable struct{ Reasons, Obsolete []string }

// Error joins the reasons.
func (u *Unsolvable) Error() string {
	return "cannot solve package dependencies: " + strings.Join(slices.Concat(u.Reasons, u.Obsolete), "; ")
}

// Solve returns the closure of p. The error is an *Unsolvable where none
// exists, and otherwise says what is wrong with p or is that of Filelists.
func Solve(p Problem) (Solution, error) {
	u, err := newUniverse(p)
	if err != nil {
		return Solution{}, err
	}
	roots, err := u.resolveRoots(p.Roots)
	if err != nil {
		return Solution{}, err
	}
	w, err := u.search(roots)
	if err != nil {
		return Solution{}, err
	}
	if w, err = u.prune(w); err != nil {
		return Solution{}, err
	}
	return u.report(roots, w), nil
}

// search walks without the SAT oracle and, where that fails, with it.
func (u *universe) search(roots []root) (*walk, error) {
	w := newWalk(u)
	if w.run(roots) {
		return w, nil
	}
	if u.err != nil {
		return nil, u.err
	}
	o := newOracle(u, roots, nil, nil)
	if u.err != nil {
		return nil, u.err
	}
	if !o.solve(nil) {
		return nil, &Unsolvable{Reasons: u.explain(roots), Obsolete: u.obsoleteRoots(roots)}
	}
	w = newWalk(u)
	w.oracle = o
	if !w.run(roots) {
		if u.err != nil {
			return nil, u.err
		}
		return nil, fmt.Errorf("cannot solve package dependencies: the search ended although a solution exists")
	}
	return w, nil
}

func (c Candidate) rank() int {
	if c.Priority == 0 {
		return 99
	}
	return c.Priority
}

// compareCandidates is the order in which candidates are numbered: it depends
// on nothing but what they are.
func compareCandidates(a, b *Candidate) int {
	if c := strings.Compare(a.Meta.Name, b.Meta.Name); c != 0 {
		return c
	}
	if c := b.Meta.EVR.Compare(a.Meta.EVR); c != 0 {
		return c
	}
	return cmp.Or(
		strings.Compare(a.Meta.Arch, b.Meta.Arch),
		cmp.Compare(a.rank(), b.rank()),
		strings.Compare(a.Checksum, b.Checksum),
		strings.Compare(a.Repo, b.Repo),
		strings.Compare(a.Meta.EVR.String(), b.Meta.EVR.String()),
		cmp.Compare(a.ID, b.ID),
	)
}

func sortedCandidates(list []Candidate) ([]*Candidate, error) {
	sorted := make([]*Candidate, 0, len(list))
	for i := range list {
		if list[i].Meta == nil {
			return nil, fmt.Errorf("cannot solve package dependencies: candidate %d of repository %q has no metadata", list[i].ID, list[i].Repo)
		}
		sorted = append(sorted, &list[i])
	}
	slices.SortFunc(sorted, compareCandidates)
	return sorted, nil
}
