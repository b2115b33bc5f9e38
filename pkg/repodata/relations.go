package repodata

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// What a closure is solved on is primary.xml, which nobody signs; what a host
// obeys is the header, which is signed. The functions below say whether the two
// ask for the same.
//
// Tools that write metadata differ in what they leave out, and none of it
// matters to a solver: rpm's own features, what a package provides for itself,
// what it says twice, the order, whether a scriptlet needs it, and of the symbol
// versions of libc.so.6 all but the highest. That is left out of both sides.
// yum's createrepo leaves out, createrepo_c keeps what only a file of the
// package itself satisfies; so a header may be read in either way.

// kind is one kind of relation of a package.
type kind struct {
	name string
	list []nevra.Relation
}

func kinds(m *nevra.Metadata) []kind {
	return []kind{
		{"requires", m.Requires}, {"provides", m.Provides}, {"conflicts with", m.Conflicts}, {"obsoletes", m.Obsoletes},
		{"recommends", m.Recommends}, {"suggests", m.Suggests}, {"supplements", m.Supplements}, {"enhances", m.Enhances},
	}
}

// Relations is the sha256, in hex, of all that m says of other packages, read
// from primary.xml: what a lock keeps of it.
func Relations(m *nevra.Metadata) string {
	return digestRelations(meaning(m, nil))
}

// SameRelations says whether a package's header says what Relations gave for
// its metadata.
func SameRelations(header *nevra.Metadata, relations string) bool {
	return relations == Relations(header) || relations == digestRelations(meaning(header, ownFiles(header)))
}

// DifferentRelations lists in what a header and the metadata of the package
// differ, as clauses: "its header requires x, the metadata does not".
func DifferentRelations(header, metadata *nevra.Metadata) []string {
	if SameRelations(header, Relations(metadata)) {
		return nil
	}
	own := ownFiles(header)
	h, m := meaning(header, own), meaning(metadata, own)
	var out []string
	for i, k := range kinds(header) {
		for _, r := range h[i] {
			if !slices.Contains(m[i], r) {
				out = append(out, fmt.Sprintf("its header %s %s, the metadata does not", k.name, r))
			}
		}
		for _, r := range m[i] {
			if !slices.Contains(h[i], r) {
				out = append(out, fmt.Sprintf("the metadata %s %s, its header does not", k.name, r))
			}
		}
	}
	return out
}

func ownFiles(m *nevra.Metadata) map[string]bool {
	own := make(map[string]bool, len(m.Files))
	for _, f := range m.Files {
		own[f.Path] = true
	}
	return own
}

// meaning is what counts of each kind: sorted, each relation once. own are paths
// that are not required.
func meaning(m *nevra.Metadata, own map[string]bool) [][]string {
	var out [][]string
	for i, k := range kinds(m) {
		list := k.list
		if i == 0 {
			list = required(m, own)
		}
		texts := make([]string, 0, len(list))
		for _, r := range list {
			texts = append(texts, meant(r).String())
		}
		slices.Sort(texts)
		out = append(out, slices.Compact(texts))
	}
	return out
}

// required are the requirements that other packages have to satisfy.
func required(m *nevra.Metadata, own map[string]bool) []nevra.Relation {
	primary := map[string]bool{}
	for _, f := range m.Files {
		primary[f.Path] = IsPrimary(f.Path)
	}
	provided := make(map[string][]nevra.Relation, len(m.Provides))
	for _, p := range m.Provides {
		provided[p.Name] = append(provided[p.Name], meant(p))
	}
	var out []nevra.Relation
	var libc *nevra.Relation
	add := func(r nevra.Relation) {
		if !slices.ContainsFunc(provided[r.Name], meant(r).Matches) {
			out = append(out, r)
		}
	}
	for _, r := range m.Requires {
		switch {
		case strings.HasPrefix(r.Name, "rpmlib("), primary[r.Name], own[r.Name], slices.Contains(provided[r.Name], meant(r)):
		case strings.HasPrefix(r.Name, "libc.so.6"):
			if libc == nil || libcOlder(libc.Name, r.Name) {
				libc = &r
			}
		default:
			add(r)
		}
	}
	if libc != nil {
		add(*libc)
	}
	return out
}

// meant is r without what the two sides write differently: a relation with an
// operator and no version, or the other way round, is one for any version.
func meant(r nevra.Relation) nevra.Relation {
	r = plain(r)
	r.Name = xmlText(r.Name)
	if r.Op == nevra.Any || r.EVR.Version == "" {
		r.Op, r.EVR = nevra.Any, nevra.EVR{}
	}
	return r
}

func digestRelations(kinds [][]string) string {
	sum := sha256.New()
	for i, list := range kinds {
		for _, r := range list {
			_, _ = fmt.Fprintf(sum, "%d %q\n", i, r) // a hash never fails
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}
