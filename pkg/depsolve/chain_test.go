package depsolve

import (
	"fmt"
	"slices"

	"kubecrate/pkg/nevra"
)

// String is the reason as a phrase: "root", "REQUIRER: RELATION".
func (r Reason) String() string {
	switch {
	case r.Root != "":
		return "root"
	case r.Installed != nil:
		return fmt.Sprintf("%s: %s of the installed %s", r.By, r.Relation, r.Installed)
	case r.Weak:
		return fmt.Sprintf("%s: recommends %s", r.By, r.Relation)
	}
	return fmt.Sprintf("%s: %s", r.By, r.Relation)
}

// link is one step of a chain: Package was chosen because of Reason.
type link struct {
	Package nevra.NEVRA
	Reason  Reason
}

// chainTo returns the shortest chain of reasons from a root to the package of
// the given name, NEVRA or other form of a pin: the first link is a root, the
// last one the package. It is false where no such package was chosen.
func chainTo(s Solution, name string) ([]link, bool) {
	target := slices.IndexFunc(s.Chosen, func(c Choice) bool {
		return nevra.ParsePin(name).Match(c.Meta.NEVRA) != nevra.NoForm || name == c.Meta.FileName()
	})
	if target < 0 {
		return nil, false
	}
	type step struct {
		to     int
		reason Reason
	}
	from := map[nevra.NEVRA][]step{}
	var queue []int
	links := make([]*link, len(s.Chosen))
	parent := make([]int, len(s.Chosen))
	for i, c := range s.Chosen {
		for _, r := range c.Why {
			if r.Root == "" {
				from[r.By] = append(from[r.By], step{i, r})
			} else if links[i] == nil {
				links[i], parent[i] = &link{c.Meta.NEVRA, r}, -1
				queue = append(queue, i)
			}
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, st := range from[s.Chosen[i].Meta.NEVRA] {
			if links[st.to] == nil {
				links[st.to], parent[st.to] = &link{s.Chosen[st.to].Meta.NEVRA, st.reason}, i
				queue = append(queue, st.to)
			}
		}
	}
	if links[target] == nil {
		return nil, false
	}
	var chain []link
	for i := target; i >= 0; i = parent[i] {
		chain = append(chain, *links[i])
	}
	slices.Reverse(chain)
	return chain, true
}
