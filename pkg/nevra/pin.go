package nevra

import (
	"path"
	"strings"
)

// Pin is what names packages: an entry of a manifest's packages.roots or
// packages.exclude, or what a person asks about. Its grammar is yum's (yum(8),
// SPECIFYING PACKAGE NAMES) with the relations of a spec file beside it:
//
//	pin      = group | pattern | relation | spec
//	group    = "@" text                                   (no package means it)
//	pattern  = a spec that holds "*", "?" or "["          (path.Match, over every form of a package)
//	relation = name " " operator " " [epoch ":"] version ["-" release]
//	operator = "<" | "<=" | "=<" | "=" | "==" | ">=" | "=>" | ">"
//	spec     = name
//	         | name "." arch
//	         | name "-" [epoch ":"] version ["-" release ["." arch]]
//	         | epoch ":" name "-" version ["-" release ["." arch]]
//
// A name may be that of a package, a capability or an absolute path, and holds
// dashes and dots itself. So a spec has several readings, and only a package
// tells which one is meant: see Match. Every text is a pin of some kind.
type Pin struct {
	Text     string
	Kind     PinKind
	Relation Relation // of a relation; of a spec its text as the name
}

// PinKind is how a Pin is written.
type PinKind uint8

// The kinds of a Pin.
const (
	PinSpec PinKind = iota
	PinRelation
	PinPattern
	PinGroup
)

// ParsePin reads a pin; blanks around it do not count.
func ParsePin(text string) Pin {
	p := Pin{Text: strings.TrimSpace(text)}
	switch {
	case strings.HasPrefix(p.Text, "@"):
		p.Kind = PinGroup
	case strings.ContainsAny(p.Text, patternSigns):
		p.Kind = PinPattern
	default:
		r, ok := ParseRelation(p.Text)
		if !ok {
			r = Relation{Name: p.Text}
		}
		p.Relation = r
		if r.Op != Any {
			p.Kind = PinRelation
		}
	}
	return p
}

const patternSigns = "*?["

// ParseRelation reads "name" or "name OP [epoch:]version[-release]".
func ParseRelation(s string) (Relation, bool) {
	words := strings.Fields(s)
	switch len(words) {
	case 1:
		return Relation{Name: words[0]}, true
	case 3:
		if op, ok := ParseOp(words[1]); ok {
			return Relation{Name: words[0], Op: op, EVR: ParseEVR(words[2])}, true
		}
	}
	return Relation{}, false
}

// ParseOp reads an operator of a relation.
func ParseOp(s string) (Op, bool) {
	switch s {
	case "<":
		return LT, true
	case "<=", "=<":
		return LE, true
	case "=", "==":
		return EQ, true
	case ">=", "=>":
		return GE, true
	case ">":
		return GT, true
	}
	return Any, false
}

// PinForm is the form of a spec in which it means a package; the lower one is
// meant where one text can be read in two ways.
type PinForm uint8

// The forms, and NoForm for a spec that does not mean the package.
const (
	FormName        PinForm = iota // name
	FormNameArch                   // name.arch
	FormNEVRA                      // name-[epoch:]version-release.arch, epoch:name-version-release.arch
	FormNEVR                       // name-[epoch:]version-release, epoch:name-version-release
	FormNameVersion                // name-[epoch:]version
	NoForm
)

// Match says in which form a spec means n. What is left out of it, such as the
// epoch, matches anything.
func (p Pin) Match(n NEVRA) PinForm {
	switch p.Text {
	case n.Name:
		return FormName
	case n.Name + "." + n.Arch:
		return FormNameArch
	}
	rest, ok := p.after(n)
	if !ok {
		return NoForm
	}
	switch rest {
	case n.Version + "-" + n.Release + "." + n.Arch:
		return FormNEVRA
	case n.Version + "-" + n.Release:
		return FormNEVR
	case n.Version:
		return FormNameVersion
	}
	return NoForm
}

// after is what follows name, dash and epoch of n; an epoch of another number
// is not n's.
func (p Pin) after(n NEVRA) (rest string, ok bool) {
	text, ok := cutEpoch(p.Text, n)
	if !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(text, n.Name+"-"); !ok {
		return "", false
	}
	return cutEpoch(rest, n)
}

func cutEpoch(text string, n NEVRA) (rest string, ok bool) {
	head, tail, found := strings.Cut(text, ":")
	if !found || !allDigits(head) {
		return text, true
	}
	return tail, strings.TrimLeft(head, "0") == strings.TrimLeft(n.Epoch, "0")
}

// Fixes says what p, which led to n, does not leave open: the version of n, and
// its release. A pattern fixes what it writes out, though more may follow.
func (p Pin) Fixes(n NEVRA) (version, release bool) {
	switch p.Kind {
	case PinRelation:
		return p.Relation.Name == n.Name && p.Relation.Op == EQ, p.Relation.EVR.Release != ""
	case PinPattern:
		rest, ok := p.after(n)
		return ok && strings.HasPrefix(rest, n.Version), ok && strings.HasPrefix(rest, n.Version+"-"+n.Release)
	}
	switch p.Match(n) {
	case FormNEVRA, FormNEVR:
		return true, true
	case FormNameVersion:
		return true, false
	}
	return false, false
}

// MatchPattern says whether a pattern matches n in one of the forms of a spec.
// The error is path.ErrBadPattern.
func (p Pin) MatchPattern(n NEVRA) (bool, error) {
	evr := n.Version + "-" + n.Release
	for _, form := range []string{
		n.Name, n.Name + "." + n.Arch, n.Name + "-" + n.Version, n.Name + "-" + evr, n.Name + "-" + evr + "." + n.Arch,
		n.Name + "-" + n.epoch() + ":" + evr, n.Name + "-" + n.epoch() + ":" + evr + "." + n.Arch, n.epoch() + ":" + n.Name + "-" + evr + "." + n.Arch,
	} {
		if ok, err := path.Match(p.Text, form); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Names yields the names that a spec may begin with: all of it and every part
// before a dash or a dot, without and with a leading "epoch:".
func (p Pin) Names() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		starts := []string{p.Text}
		if head, tail, ok := strings.Cut(p.Text, ":"); ok && allDigits(head) {
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

// Name is the package that p most likely asks for, where there is no list of
// packages to look in: "docker-ce" of "docker-ce-18.06.3.ce-3.el7", "ipset" of
// "ipset". A version and a release are recognized by the digit they begin with.
func (p Pin) Name() string {
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	if strings.HasPrefix(p.Text, "/") {
		return p.Text
	}
	head, last, ok := cutLast(p.Text, "-")
	if !ok || head == "" {
		return p.Text
	}
	name, version, two := cutLast(head, "-")
	if two && name != "" && digit(version) && (digit(last) || strings.ContainsAny(last, patternSigns)) {
		return name
	}
	if !digit(last) {
		return p.Text
	}
	return head
}

// Version is what stands behind Name: version and release as they are written,
// "" for none.
func (p Pin) Version() (version, release string) {
	rest, _ := strings.CutPrefix(p.Text, p.Name()+"-")
	if rest == p.Text {
		return "", ""
	}
	version, release, _ = strings.Cut(rest, "-")
	return version, release
}
