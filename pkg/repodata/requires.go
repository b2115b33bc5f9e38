package repodata

import (
	"strings"

	"kubecrate/pkg/nevra"
)

// requires thins the requirements of a header as createrepo_c does: those of
// rpm itself ("rpmlib(...)"), those the package's own primary files or own
// provides of the same version fulfill, repeated ones, and of the many symbol
// versions of libc.so.6 all but the highest, which comes last.
//
// Source: createrepo_c 0.17, cr_package_from_header; compared with its output
// over real packages.
func requires(m *nevra.Metadata) []nevra.Relation {
	own := make(map[string]bool)
	for _, f := range m.Files {
		if IsPrimary(f.Path) {
			own[f.Path] = true
		}
	}
	provided := make(map[nevra.Relation]bool, len(m.Provides))
	for _, p := range m.Provides {
		provided[plain(p)] = true
	}
	var out []nevra.Relation
	last := make(map[string]nevra.Relation) // by name, the one written last
	var libc *nevra.Relation
	for _, r := range m.Requires {
		if strings.HasPrefix(r.Name, "rpmlib(") || own[r.Name] || provided[plain(r)] {
			continue
		}
		if prev, ok := last[r.Name]; ok && prev == r {
			continue
		}
		if strings.HasPrefix(r.Name, "libc.so.6") {
			if libc == nil || libcOlder(libc.Name, r.Name) {
				libc = &r
			}
			continue
		}
		last[r.Name] = r
		out = append(out, r)
	}
	if libc != nil {
		out = append(out, *libc)
	}
	return out
}

// plain is r without what does not count for being the same capability.
func plain(r nevra.Relation) nevra.Relation {
	r.Pre = false
	if r.EVR.Epoch == "0" {
		r.EVR.Epoch = ""
	}
	return r
}

// libcOlder says whether a is an older symbol version of libc than b:
// libc.so.6() < libc.so.6(GLIBC_2.3.4)(64bit) < libc.so.6(GLIBC_2.4).
func libcOlder(a, b string) bool {
	va, vb := symbolVersion(a), symbolVersion(b)
	switch {
	case vb == "":
		return false
	case va == "":
		return true
	}
	return nevra.Vercmp(va, vb) < 0
}

// symbolVersion is "2.3.4" of "libc.so.6(GLIBC_2.3.4)(64bit)", "" where the
// first parentheses hold no digit.
func symbolVersion(name string) string {
	_, rest, _ := strings.Cut(name, "(")
	inside, _, ok := strings.Cut(rest, ")")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(inside, "0123456789"); i >= 0 {
		return inside[i:]
	}
	return ""
}
