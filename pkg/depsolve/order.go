package depsolve

import (
	"cmp"
	"slices"
	"strings"
)

// prefer sorts packages by preference for a requirement of the given name; see
// the package documentation. The result is a new slice.
func (u *universe) prefer(list []id, name string) []id {
	out := slices.Clone(list)
	slices.SortFunc(out, func(a, b id) int {
		return cmp.Or(comparePreference(u.pkgs[a], u.pkgs[b], name), cmp.Compare(a, b))
	})
	return out
}

func comparePreference(a, b *pkg, name string) int {
	if c := cmp.Or(
		yesFirst(!a.multilib, !b.multilib),
		yesFirst(a.pinned, b.pinned),
		cmp.Compare(a.rank(), b.rank()),
		yesFirst(a.meta.Name == name, b.meta.Name == name),
	); c != 0 {
		return c
	}
	return cmp.Or(
		b.meta.EVR.Compare(a.meta.EVR),
		cmp.Compare(len(a.meta.Name), len(b.meta.Name)),
		strings.Compare(a.meta.Name, b.meta.Name),
		yesFirst(a.meta.Arch != "noarch", b.meta.Arch != "noarch"),
		strings.Compare(a.checksum(), b.checksum()),
	)
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (p *pkg) rank() int {
	if p.cand == nil {
		return 100
	}
	return p.cand.rank()
}

func (p *pkg) checksum() string {
	if p.cand == nil {
		return ""
	}
	return p.cand.Checksum
}
