package repodata

import (
	"errors"
	"fmt"

	"kubecrate/pkg/nevra"
)

// readRelations reads the <rpm:entry> elements of a list of the given kind.
func (p *primary) readRelations(kind string) ([]nevra.Relation, error) {
	p.relations = p.relations[:0]
	err := p.children(func() error {
		if string(p.local) != "entry" || p.foreign() {
			return p.skip()
		}
		rel, err := p.relation()
		switch {
		case err != nil:
			p.oddity(fmt.Errorf("%s: %w", kind, err))
		case len(p.relations) == maxRelations:
			p.oddity(fmt.Errorf("%s: more than %d", kind, maxRelations))
		default:
			p.relations = append(p.relations, rel)
		}
		return p.skip()
	})
	return p.keep(p.relations), err
}

// keep copies relations into a buffer shared by many packages.
func (p *primary) keep(rs []nevra.Relation) []nevra.Relation {
	if len(rs) == 0 {
		return nil
	}
	if len(p.spare)+len(rs) > cap(p.spare) {
		p.spare = make([]nevra.Relation, 0, max(len(rs), 512))
	}
	begin := len(p.spare)
	p.spare = append(p.spare, rs...)
	return p.spare[begin:len(p.spare):len(p.spare)]
}

func (p *primary) relation() (nevra.Relation, error) {
	name, ok := p.attr("name")
	if !ok || len(name) == 0 {
		return nevra.Relation{}, errors.New("entry without a name")
	}
	rel := nevra.Relation{Name: p.strings.get(name)}
	if pre, ok := p.attr("pre"); ok {
		rel.Pre = string(pre) == "1" || string(pre) == "true"
	}
	flags, _ := p.attr("flags")
	op, err := parseFlags(flags)
	if err != nil {
		return rel, fmt.Errorf("%s: %w", name, err)
	}
	evr := p.evr()
	if op != nevra.Any && evr.Version != "" {
		rel.Op, rel.EVR = op, evr
	}
	return rel, nil
}

func parseFlags(flags []byte) (nevra.Op, error) {
	switch string(flags) {
	case "":
		return nevra.Any, nil
	case "LT":
		return nevra.LT, nil
	case "GT":
		return nevra.GT, nil
	case "EQ":
		return nevra.EQ, nil
	case "LE":
		return nevra.LE, nil
	case "GE":
		return nevra.GE, nil
	}
	return nevra.Any, fmt.Errorf("unknown flags %q", flags)
}
