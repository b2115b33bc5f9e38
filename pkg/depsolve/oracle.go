package depsolve

// oracle answers whether a set of packages is part of some solution.
type oracle struct {
	e     *encoder
	model []bool // by id, the last solution found; all that was chosen is in it
}

// newOracle encodes the problem. The packages in first must be present beside
// the roots; allowed are the candidates that may be, nil for all.
func newOracle(u *universe, roots []root, first []id, allowed []bool) *oracle {
	o := &oracle{e: newEncoder(u, allowed, false), model: make([]bool, len(u.pkgs))}
	o.e.encode(roots, first)
	return o
}

// solve looks for a solution that contains want.
func (o *oracle) solve(want []id) bool {
	lits := o.e.present(want)
	if len(lits) < len(want) {
		return false
	}
	o.e.g.Assume(lits...)
	if o.e.g.Solve() != 1 {
		return false
	}
	for _, p := range o.e.order {
		o.model[p] = o.e.g.Value(o.e.lits[p])
	}
	return true
}

// extends says whether there is a solution with all of chosen, which are known
// to have one, and with c.
func (o *oracle) extends(chosen []id, c id) bool {
	if o.model[c] {
		return true
	}
	want := append(make([]id, 0, len(chosen)+1), chosen...)
	return o.solve(append(want, c))
}
