package depsolve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/suggest"
)

// noSuchRoot says that a pin matches nothing, and what comes near.
func (u *universe) noSuchRoot(pin nevra.Pin) string {
	best := ""
	for n := range pin.Names() {
		if len(n) > len(best) && (len(u.byName[n]) > 0 || len(u.rejected[n]) > 0) {
			best = n
		}
	}
	if best == "" {
		text := fmt.Sprintf("no package %s", pin.Text)
		for n := range pin.Names() {
			if heir := u.successor(n); heir != "" {
				return text + heir
			}
		}
		if near := u.similarName(pin); near != "" {
			text += "; the repositories hold " + near
		}
		return text
	}
	for _, r := range u.rejected[best] {
		if pin.Match(r.meta.NEVRA) != nevra.NoForm {
			return fmt.Sprintf("no package %s: %s %s", pin.Text, r.meta.NEVRA, r.why)
		}
	}
	version := strings.TrimLeft(strings.TrimPrefix(pin.Text, best), "-.")
	return fmt.Sprintf("no package %s; %s", pin.Text, u.holdings(best, version))
}

// together says once of all pins that are there for another architecture only what
// reasons, one for each pin, say of each.
func (u *universe) together(pins []nevra.Pin, reasons []string) []string {
	of := map[string][]string{}
	arch := func(pin nevra.Pin) string { return foreignOnly(u.leftOut(pin)) }
	for _, pin := range pins {
		of[arch(pin)] = append(of[arch(pin)], pin.Text)
	}
	var out []string
	for i, pin := range pins {
		other := arch(pin)
		switch same := of[other]; {
		case other == "" || len(same) == 1:
			out = append(out, reasons[i])
		case same[0] == pin.Text:
			out = append(out, fmt.Sprintf("no packages for %s: the repositories hold %s for %s", u.arch, strings.Join(same, ", "), other))
		}
	}
	return out
}

// leftOut are the packages that pin matches and that are not taken.
func (u *universe) leftOut(pin nevra.Pin) []rejected {
	var list []rejected
	for name := range pin.Names() {
		for _, r := range u.rejected[name] {
			if pin.Match(r.meta.NEVRA) != nevra.NoForm {
				list = append(list, r)
			}
		}
	}
	return list
}

// foreignOnly is the architecture of packages that were all left out for theirs, ""
// for others.
func foreignOnly(list []rejected) string {
	arch := ""
	for _, r := range list {
		if r.why != isFor(r.meta.Arch) || arch != "" && r.meta.Arch != arch {
			return ""
		}
		arch = r.meta.Arch
	}
	return arch
}

// holdings says which versions of name the repositories hold, those most like
// wanted if they are many.
func (u *universe) holdings(name, wanted string) string {
	const most = 6
	var versions []*nevra.Metadata
	installed := ""
	for _, p := range u.byName[name] {
		if u.pkgs[p].cand != nil {
			versions = append(versions, u.pkgs[p].meta)
		} else {
			installed = fmt.Sprintf("the target has %s, the repositories have no %s", u.pkgs[p].meta.NEVRA, name)
		}
	}
	if len(versions) == 0 {
		if r := u.rejected[name]; len(r) > 0 {
			return fmt.Sprintf("%s %s", r[0].meta.NEVRA, r[0].why)
		}
		return installed
	}
	slices.SortStableFunc(versions, func(a, b *nevra.Metadata) int {
		return cmp.Or(cmp.Compare(commonPrefix(b.EVR.String(), wanted), commonPrefix(a.EVR.String(), wanted)), b.EVR.Compare(a.EVR))
	})
	more := ""
	if len(versions) > most {
		more = fmt.Sprintf(" and %d more", len(versions)-most)
		versions = versions[:most]
	}
	slices.SortStableFunc(versions, func(a, b *nevra.Metadata) int { return a.EVR.Compare(b.EVR) })
	var names []string
	for _, v := range versions {
		if s := v.EVR.String(); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return fmt.Sprintf("the repositories hold %s %s%s", name, strings.Join(names, ", "), more)
}

// nearRelation says, in a clause to append, what comes near to a relation that
// nobody satisfies.
func (u *universe) nearRelation(r nevra.Relation) string {
	var others []string
	for _, e := range u.provides[r.Name] {
		m := u.pkgs[e.pkg].meta
		if m.Name == r.Name {
			return "; " + u.holdings(r.Name, r.EVR.String())
		}
		if len(others) < 3 && e.at >= 0 {
			others = append(others, fmt.Sprintf("%s provides %s", m.NEVRA, m.Provides[e.at]))
		}
	}
	if len(others) > 0 {
		return "; " + strings.Join(others, ", ")
	}
	own := func(m *nevra.Metadata) nevra.Relation { return nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR} }
	for _, left := range u.rejected[r.Name] {
		if r.Matches(own(left.meta)) {
			return fmt.Sprintf("; %s %s", left.meta.NEVRA, left.why)
		}
	}
	if left := u.rejectedProvider(r); left != nil {
		return fmt.Sprintf("; %s %s", left.meta.NEVRA, left.why)
	}
	if !strings.ContainsAny(r.Name, "/(") && !strings.Contains(r.Name, ".so") {
		return "" // the name of a package, which is not installed
	}
	return u.unknownBaseline()
}

// rejectedProvider is a package that was left out and would have satisfied r;
// of several the first by name.
func (u *universe) rejectedProvider(r nevra.Relation) *rejected {
	var best *rejected
	for _, list := range u.rejected {
		for i, left := range list {
			provides := slices.ContainsFunc(left.meta.Provides, r.Matches) ||
				slices.ContainsFunc(left.meta.Files, func(f nevra.File) bool { return f.Path == r.Name })
			if provides && (best == nil || left.meta.String() < best.meta.String()) {
				best = &list[i]
			}
		}
	}
	return best
}

// unknownBaseline mentions installed packages that no repository holds in any
// version: one of them might provide what seems to be missing.
func (u *universe) unknownBaseline() string {
	count, example := 0, ""
	for _, b := range u.installed {
		if p := u.pkgs[b]; p.files == nil {
			if count++; example == "" {
				example = p.meta.NEVRA.String()
			}
		}
	}
	switch count {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("; the capabilities of the installed %s are unknown, as no repository has it", example)
	}
	return fmt.Sprintf("; the capabilities of %d installed packages, such as %s, are unknown, as no repository has them", count, example)
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// similarName returns the name of a candidate that differs from what was
// wanted, or from its beginning, by no more than two letters, or "".
func (u *universe) similarName(pin nevra.Pin) string {
	best, bestDistance := "", 3
	names := make([]string, 0, len(u.byName))
	for n := range u.byName {
		names = append(names, n)
	}
	slices.Sort(names)
	for wanted := range pin.Names() {
		for _, n := range names {
			if len(wanted) < 4 || max(len(n)-len(wanted), len(wanted)-len(n)) >= bestDistance {
				continue
			}
			if d := suggest.Distance(n, wanted); d < bestDistance {
				best, bestDistance = n, d
			}
		}
	}
	return best
}
