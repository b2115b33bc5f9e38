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
	var names, reasons, missing []string
	seen := map[string]bool{}
	for _, pin := range pins {
		pin = strings.TrimSpace(pin)
		if seen[pin] {
			continue
		}
		seen[pin] = true
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
			roots, names = append(roots, root{pin, f.matches}), append(names, f.name)
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
func (u *universe) lookUp(pin string) (found []match, why string) {
	const most = 100
	switch {
	case strings.HasPrefix(pin, "@"):
		return nil, fmt.Sprintf("%s is a group, and groups are not read: name the packages that `dnf group info %s` lists", pin, strings.TrimPrefix(pin, "@"))
	case strings.ContainsAny(pin, "*?["):
		found, err := u.matchPattern(pin)
		switch {
		case err != nil:
			return nil, fmt.Sprintf("%s is not a pattern of names: %v", pin, err)
		case len(found) == 0:
			return nil, fmt.Sprintf("no package matches %s", pin)
		case len(found) > most:
			return nil, fmt.Sprintf("%s matches %d packages, more than %d: name those that are wanted", pin, len(found), most)
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
func (u *universe) matchPattern(pattern string) ([]match, error) {
	if _, err := path.Match(pattern, ""); err != nil {
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
func (u *universe) match(pin string) ([]id, string) {
	var best []id
	bestForm, name := noForm, ""
	for n := range namesWithin(pin) {
		for _, p := range u.byName[n] {
			form := matchPin(pin, u.pkgs[p].meta.NEVRA)
			switch {
			case form == noForm || form > bestForm:
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
	r, ok := parseRelation(pin)
	if !ok {
		return nil, ""
	}
	if u.wantPaths(r.Name); u.wanted[r.Name] {
		u.indexFiles()
	}
	f := u.formula(r, true)
	if f.kind != leaf {
		return nil, ""
	}
	return slices.Clone(f.providers), r.Name
}

// parseRelation reads "name" or "name OP [epoch:]version[-release]".
func parseRelation(s string) (nevra.Relation, bool) {
	words := strings.Fields(s)
	switch len(words) {
	case 1:
		return nevra.Relation{Name: words[0]}, true
	case 3:
		if op, ok := parseOp(words[1]); ok {
			return nevra.Relation{Name: words[0], Op: op, EVR: nevra.ParseEVR(words[2])}, true
		}
	}
	return nevra.Relation{}, false
}

// namesWithin yields the package names that pin may start with: pin itself and
// every part before a dash or a dot, without and with a leading "epoch:".
func namesWithin(pin string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		starts := []string{pin}
		if head, tail, ok := strings.Cut(pin, ":"); ok && isNumber(head) {
			starts = append(starts, tail)
		}
		for _, s := range starts {
			if !yield(s) {
				return
			}
			for i := len(s) - 1; i > 0; i-- {
				if (s[i] == '-' || s[i] == '.') && !yield(s[:i]) {
					return
				}
			}
		}
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// pinForm is how a pin is written; the lower one is meant where one text can
// be read in two ways. The forms are yum's (yum(8), SPECIFYING PACKAGE NAMES).
type pinForm uint8

const (
	formName        pinForm = iota // name
	formNameArch                   // name.arch
	formNEVRA                      // name-[epoch:]ver-rel.arch, epoch:name-ver-rel.arch
	formNEVR                       // name-[epoch:]ver-rel, epoch:name-ver-rel
	formNameVersion                // name-[epoch:]ver
	noForm
)

func matchPin(pin string, n nevra.NEVRA) pinForm {
	switch pin {
	case n.Name:
		return formName
	case n.Name + "." + n.Arch:
		return formNameArch
	}
	if head, tail, ok := strings.Cut(pin, ":"); ok && isNumber(head) { // epoch:name-ver...
		if strings.TrimLeft(head, "0") != strings.TrimLeft(n.Epoch, "0") {
			return noForm
		}
		pin = tail
	}
	rest, ok := strings.CutPrefix(pin, n.Name+"-")
	if !ok {
		return noForm
	}
	if head, tail, found := strings.Cut(rest, ":"); found && isNumber(head) {
		if strings.TrimLeft(head, "0") != strings.TrimLeft(n.Epoch, "0") {
			return noForm
		}
		rest = tail
	}
	switch rest {
	case n.Version + "-" + n.Release + "." + n.Arch:
		return formNEVRA
	case n.Version + "-" + n.Release:
		return formNEVR
	case n.Version:
		return formNameVersion
	}
	return noForm
}

// excludes are the patterns of Problem.Exclude.
type excludes []string

func compileExcludes(list []string) (excludes, error) {
	for _, pattern := range list {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("cannot read exclude %q: %w", pattern, err)
		}
	}
	return list, nil
}

// match returns the first pattern that matches n in one of the forms of a pin.
func (e excludes) match(n nevra.NEVRA) string {
	if len(e) == 0 {
		return ""
	}
	evr := n.Version + "-" + n.Release
	epoch := n.Epoch
	if epoch == "" {
		epoch = "0"
	}
	forms := []string{
		n.Name, n.Name + "." + n.Arch, n.Name + "-" + n.Version, n.Name + "-" + evr, n.Name + "-" + evr + "." + n.Arch,
		n.Name + "-" + epoch + ":" + evr, n.Name + "-" + epoch + ":" + evr + "." + n.Arch, epoch + ":" + n.Name + "-" + evr + "." + n.Arch,
	}
	for _, pattern := range e {
		for _, f := range forms {
			if ok, err := path.Match(pattern, f); ok && err == nil {
				return pattern
			}
		}
	}
	return ""
}
