package depsolve

import (
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// nearest returns the metadata that tells most about an installed package of
// which no repository holds that very version: same architecture if there is
// one, then same version with another release, then the next newer, then the
// newest of the older ones. same is sorted newest first. nil if same is empty.
func nearest(n nevra.NEVRA, same []*Candidate) *Candidate {
	var best *Candidate
	bestRank := 0
	for _, c := range same {
		rank := 1
		newer := c.Meta.EVR.Compare(n.EVR) > 0
		if newer {
			rank++ // a later entry of the list is older, so nearer
		}
		if nevra.Vercmp(c.Meta.Version, n.Version) == 0 {
			rank += 2
		}
		if c.Meta.Arch == n.Arch {
			rank += 4
		}
		if rank > bestRank || rank == bestRank && newer {
			best, bestRank = c, rank
		}
	}
	return best
}

// asInstalled is what is assumed of installed package n, given the metadata of
// its nearest relative: the same relations, except that those to the
// relative's own version become relations to n's. Without a relative, n
// provides its name alone.
func asInstalled(n nevra.NEVRA, like *nevra.Metadata) *nevra.Metadata {
	m := &nevra.Metadata{NEVRA: n}
	if like == nil {
		return m
	}
	m.SourceRPM = like.SourceRPM
	m.Provides = reversion(like.Provides, like.EVR, n.EVR)
	m.Requires = reversion(like.Requires, like.EVR, n.EVR)
	m.Conflicts = reversion(like.Conflicts, like.EVR, n.EVR)
	m.Obsoletes = reversion(like.Obsoletes, like.EVR, n.EVR)
	m.Files = like.Files
	return m
}

func reversion(relations []nevra.Relation, from, to nevra.EVR) []nevra.Relation {
	out := slices.Clone(relations)
	for i, r := range out {
		if r.Op == nevra.Any || r.EVR.Version != from.Version || strings.HasPrefix(r.Name, "(") {
			continue
		}
		if r.EVR.Release != "" && r.EVR.Release != from.Release {
			continue
		}
		evr := nevra.EVR{Epoch: r.EVR.Epoch, Version: to.Version}
		if normalEpoch(r.EVR.Epoch) == normalEpoch(from.Epoch) {
			evr.Epoch = to.Epoch
		}
		if r.EVR.Release != "" {
			evr.Release = to.Release
		}
		out[i].EVR = evr
	}
	return out
}

func normalEpoch(e string) string {
	if e == "0" {
		return ""
	}
	return e
}

// cleanBaseline sorts the installed packages and drops doubles and the public
// keys that rpm lists as packages.
func cleanBaseline(list []nevra.NEVRA) []nevra.NEVRA {
	var out []nevra.NEVRA
	for _, n := range list {
		if n.Name != "" && n.Name != "gpg-pubkey" {
			n.Epoch = normalEpoch(n.Epoch)
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b nevra.NEVRA) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		if c := b.EVR.Compare(a.EVR); c != 0 {
			return c
		}
		return strings.Compare(a.String(), b.String())
	})
	return slices.Compact(out)
}

func sameNEVRA(a, b nevra.NEVRA) bool {
	return a.Name == b.Name && a.Arch == b.Arch && a.EVR.Compare(b.EVR) == 0
}
