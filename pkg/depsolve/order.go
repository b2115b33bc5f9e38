package depsolve

import (
	"cmp"
	"slices"
	"strings"
)

// prefer sorts packages by preference for a requirement of the given name; see
// the package documentation. The result is a new slice.
func (u *universe) prefer(list []id, name string) []id { return u.preferWeakly(list, name, nil) }

// preferWeakly is prefer that heeds a wish for some of the packages, where there
// is one: the lower the sooner. As with libsolv a wish for an older version of a
// package does not count.
func (u *universe) preferWeakly(list []id, name string, wish func(id) int) []id {
	out := slices.Clone(list)
	wishes, surpassed := map[id]int{}, map[id]bool{}
	if wish != nil {
		for _, p := range out {
			if w := wish(p); w < 0 && !u.older(p, out) {
				wishes[p] = w
			}
		}
	}
	for _, p := range out {
		surpassed[p] = len(u.obsoletes[u.pkgs[p].meta.Name]) > 0 && u.surpassed(p, out)
	}
	slices.SortFunc(out, func(a, b id) int {
		p, q := u.pkgs[a], u.pkgs[b]
		return cmp.Or(compareOrigin(p, q), yesFirst(!surpassed[a], !surpassed[b]), cmp.Compare(wishes[a], wishes[b]), compareNames(p, q, name), cmp.Compare(a, b))
	})
	return out
}

// older says whether list holds a newer version of p.
func (u *universe) older(p id, list []id) bool {
	m := u.pkgs[p].meta
	return slices.ContainsFunc(list, func(q id) bool {
		o := u.pkgs[q].meta
		return o.Name == m.Name && o.EVR.Compare(m.EVR) > 0
	})
}

func compareOrigin(a, b *pkg) int {
	return cmp.Or(yesFirst(!a.multilib, !b.multilib), yesFirst(a.pinned, b.pinned), cmp.Compare(a.rank(), b.rank()))
}

func compareNames(a, b *pkg, name string) int {
	return cmp.Or(
		yesFirst(a.meta.Name == name, b.meta.Name == name),
		cmp.Compare(len(a.meta.Name), len(b.meta.Name)),
		strings.Compare(a.meta.Name, b.meta.Name),
		b.meta.EVR.Compare(a.meta.EVR), // versions of different packages say nothing of each other
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
