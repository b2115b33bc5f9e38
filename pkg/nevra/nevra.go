// Package nevra is the vocabulary of RPM packages: their names, versions and
// relations, compared as rpm compares them, what a package says of itself, and
// the pins by which people ask for packages.
//
// The comparison of versions is written by hand: it is a hundred lines, decides
// what gets installed, and has to follow rpm in "~", "^" and what is not a letter or
// digit. Tests hold it to the answers of rpm itself.
package nevra

import (
	"fmt"
	"strings"
	"unicode"
)

// EVR is epoch, version and release. An empty Epoch is equal to "0"; an empty
// Release in a relation matches any release, as rpm has it.
type EVR struct {
	Epoch   string `json:"epoch,omitempty"`
	Version string `json:"version"`
	Release string `json:"release,omitempty"`
}

// ParseEVR splits "[epoch:]version[-release]". It never fails: what has no
// colon has no epoch, what has no dash has no release. An epoch is made of
// digits; ":1" has the epoch 0.
//
// Source: rpm, rpmio/rpmver.c, parseEVR.
func ParseEVR(s string) EVR {
	var e EVR
	if head, tail, ok := strings.Cut(s, ":"); ok && head == "" {
		e.Epoch, s = "0", tail
	} else if ok && allDigits(head) {
		e.Epoch, s = head, tail
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		e.Version, e.Release = s[:i], s[i+1:]
	} else {
		e.Version = s
	}
	return e
}

// String is "[epoch:]version[-release]"; an epoch of 0 is left out.
func (e EVR) String() string {
	s := e.Version
	if e.Release != "" {
		s += "-" + e.Release
	}
	if e.Epoch != "" && e.Epoch != "0" {
		s = e.Epoch + ":" + s
	}
	return s
}

// Compare returns -1, 0 or 1 as e is older than, equal to or newer than o.
// Both releases are compared even where one is empty; for the comparison that
// a relation needs see Relation.Matches.
func (e EVR) Compare(o EVR) int {
	if c := e.compareEV(o); c != 0 {
		return c
	}
	return Vercmp(e.Release, o.Release)
}

func (e EVR) compareEV(o EVR) int {
	if c := Vercmp(e.epoch(), o.epoch()); c != 0 {
		return c
	}
	return Vercmp(e.Version, o.Version)
}

func (e EVR) epoch() string {
	if e.Epoch == "" {
		return "0"
	}
	return e.Epoch
}

// NEVRA identifies one build of a package: name, epoch, version, release and
// architecture.
type NEVRA struct {
	Name string
	EVR
	Arch string
}

// String is "name-[epoch:]version-release.arch", the form yum accepts as an
// argument. An epoch of 0 is left out. The zero NEVRA is "".
func (n NEVRA) String() string {
	if n == (NEVRA{}) {
		return ""
	}
	return fmt.Sprintf("%s-%s.%s", n.Name, n.EVR, n.Arch)
}

// MarshalText writes n as String does: the form of locks and records.
func (n NEVRA) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads n as Parse does; "" is the zero NEVRA.
func (n *NEVRA) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = NEVRA{}
		return nil
	}
	read, err := Parse(string(text))
	if err != nil {
		return fmt.Errorf("%q must be name-[epoch:]version-release.arch", text)
	}
	*n = read
	return nil
}

// FileName is "name-version-release.arch.rpm", rpm's own name for the file.
func (n NEVRA) FileName() string {
	return fmt.Sprintf("%s-%s-%s.%s.rpm", n.Name, n.Version, n.Release, n.Arch)
}

// Parse reads "name-[epoch:]version-release.arch". The four parts must be
// there, without blanks, control characters or slashes; a Pin may leave some out.
func Parse(s string) (NEVRA, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return NEVRA{}, fmt.Errorf("cannot read NEVRA %q: it has a blank, a control character or a slash", s)
	}
	rest, arch, ok := cutLast(s, ".")
	if !ok {
		return NEVRA{}, fmt.Errorf("cannot read NEVRA %q: it has no .arch", s)
	}
	rest, release, ok1 := cutLast(rest, "-")
	name, version, ok2 := cutLast(rest, "-")
	if !ok1 || !ok2 || name == "" || version == "" || release == "" || arch == "" {
		return NEVRA{}, fmt.Errorf("cannot read NEVRA %q: want name-[epoch:]version-release.arch", s)
	}
	n := NEVRA{Name: name, Arch: arch, EVR: EVR{Version: version, Release: release}}
	if head, tail, found := strings.Cut(version, ":"); found {
		if !allDigits(head) {
			return NEVRA{}, fmt.Errorf("cannot read NEVRA %q: epoch %q is not a number", s, head)
		}
		if tail == "" {
			return NEVRA{}, fmt.Errorf("cannot read NEVRA %q: it has no version", s)
		}
		n.Epoch, n.Version = head, tail
	}
	return n, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
