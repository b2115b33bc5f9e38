package depsolve

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// root is a pin with the packages that match it, in order of preference; an
// installed package may be among them.
type root struct {
	pin     string
	matches []id
}

// resolveRoots looks up every pin; a pattern becomes a root for each name that
// it matches. The error names all that match nothing.
func (u *universe) resolveRoots(pins []string) ([]root, error) {
	var roots []root
	var names, reasons []string
	var missing []nevra.Pin
	seen := map[string]bool{}
	for _, text := range pins {
		pin := nevra.ParsePin(text)
		if seen[pin.Text] {
			continue
		}
		seen[pin.Text] = true
		found, why := u.lookUp(pin)
		if u.err != nil {
			return nil, u.err
		}
		if why != "" {
			reasons, missing = append(reasons, why), append(missing, pin)
		}
		for _, f := range found {
			for _, m := range f.matches {
				u.pkgs[m].pinned = true
			}
			roots, names = append(roots, root{pin.Text, f.matches}), append(names, f.name)
		}
	}
	if len(reasons) > 0 {
		return nil, &Unsolvable{Reasons: u.together(missing, reasons)}
	}
	for i, name := range names { // after all pins are known, as they count
		roots[i].matches = u.prefer(roots[i].matches, name)
	}
	return roots, nil
}

// match is what a pin means: packages, and the name it was matched by.
type match struct {
	name    string
	matches []id
}

// lookUp finds what a pin means, or says why it means nothing.
func (u *universe) lookUp(pin nevra.Pin) (found []match, why string) {
	const most = 100
	switch pin.Kind {
	case nevra.PinGroup:
		return nil, fmt.Sprintf("%s is a group, which is not supported: name the packages that `dnf group info %s` lists", pin.Text, strings.TrimPrefix(pin.Text, "@"))
	case nevra.PinPattern:
		found, err := u.matchPattern(pin)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("%s is not a pattern of names: %v", pin.Text, err)
		case len(found) == 0:
			return nil, fmt.Sprintf("no package matches %s", pin.Text)
		case len(found) > most:
			return nil, fmt.Sprintf("%s matches %d packages, more than %d: name the ones you want", pin.Text, len(found), most)
		}
		return found, ""
	}
	matches, name := u.match(pin)
	if len(matches) == 0 {
		return nil, u.noSuchRoot(pin)
	}
	return []match{{name, matches}}, ""
}

// matchPattern finds the packages of each name, in any form of a pin, that match
// a shell pattern; names come in order.
func (u *universe) matchPattern(pattern nevra.Pin) ([]match, error) {
	if _, err := path.Match(pattern.Text, ""); err != nil {
		return nil, err
	}
	e := excludes{pattern}
	var out []match
	for n, p := range u.pkgs {
		if p.cand == nil || e.match(p.meta.NEVRA) == "" {
			continue
		}
		i := slices.IndexFunc(out, func(m match) bool { return m.name == p.meta.Name })
		if i < 0 {
			i = len(out)
			out = append(out, match{name: p.meta.Name})
		}
		out[i].matches = append(out[i].matches, n)
	}
	slices.SortFunc(out, func(a, b match) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// match returns the packages that pin means and the name it was matched by.
func (u *universe) match(pin nevra.Pin) ([]id, string) {
	var best []id
	bestForm, name := nevra.NoForm, ""
	for n := range pin.Names() {
		for _, p := range u.byName[n] {
			form := pin.Match(u.pkgs[p].meta.NEVRA)
			switch {
			case form == nevra.NoForm || form > bestForm:
			case form < bestForm:
				best, bestForm, name = []id{p}, form, n
			default:
				best = append(best, p)
			}
		}
	}
	if len(best) > 0 {
		return best, name
	}
	r := pin.Relation
	if u.wantPaths(r.Name); u.wanted[r.Name] {
		u.indexFiles()
	}
	f := u.formula(r, true)
	if f.kind != leaf {
		return nil, ""
	}
	return slices.Clone(f.providers), r.Name
}

// excludes are the patterns of Problem.Exclude.
type excludes []nevra.Pin

func compileExcludes(list []string) (excludes, error) {
	var e excludes
	for _, pattern := range list {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("cannot read exclude %q: %w", pattern, err)
		}
		e = append(e, nevra.ParsePin(pattern))
	}
	return e, nil
}

// match returns the first pattern that matches n in one of the forms of a pin.
func (e excludes) match(n nevra.NEVRA) string {
	for _, pattern := range e {
		if ok, err := pattern.MatchPattern(n); ok && err == nil {
			return pattern.Text
		}
	}
	return ""
}
