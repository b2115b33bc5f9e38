package depsolve

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"kubecrate/pkg/nevra"
)

// generate makes a repository of the given number of packages and a problem on
// it. Names come in several versions; requirements point mostly to packages
// generated before, so that solutions exist but are not certain.
func generate(seed uint64, size int, baseline bool) Problem {
	rng := rand.New(rand.NewPCG(seed, 7))
	p := Problem{Arch: "x86_64"}
	names := size*2/3 + 1
	odds := 1 + int(seed%5)        // the higher, the fewer contradictions and the larger the closures
	versions := map[int][]string{} // by name, those made so far
	relation := func(n int) nevra.Relation {
		r := nevra.Relation{Name: fmt.Sprintf("p%d", n)}
		if rng.IntN(2+odds) == 0 {
			r.Op = []nevra.Op{nevra.GE, nevra.GE, nevra.EQ, nevra.LT, nevra.LE, nevra.GT}[rng.IntN(6)]
			r.EVR = nevra.EVR{Version: fmt.Sprint(1 + rng.IntN(3))}
			if have := versions[n]; len(have) > 0 && rng.IntN(3*odds) > 0 {
				r.Op, r.EVR.Version = []nevra.Op{nevra.GE, nevra.EQ, nevra.LE}[rng.IntN(3)], have[rng.IntN(len(have))]
			}
		}
		return r
	}
	for len(p.Candidates) < size {
		n := rng.IntN(names)
		if missing := names / 20 / odds / odds; len(p.Candidates) < names-missing {
			n = len(p.Candidates) // every name is there, or nearly
		}
		m := &nevra.Metadata{NEVRA: nevra.NEVRA{
			Name: fmt.Sprintf("p%d", n), EVR: nevra.EVR{Version: fmt.Sprint(1 + rng.IntN(4)), Release: fmt.Sprint(1 + rng.IntN(2))},
			Arch: []string{"x86_64", "noarch"}[n%2],
		}}
		if slices.ContainsFunc(p.Candidates, func(c Candidate) bool { return c.Meta.NEVRA == m.NEVRA }) {
			size--
			continue
		}
		versions[n] = append(versions[n], m.Version)
		m.Provides = append(m.Provides, nevra.Relation{Name: m.Name, Op: nevra.EQ, EVR: m.EVR})
		if n%3 == 0 || rng.IntN(4) == 0 {
			m.Provides = append(m.Provides, nevra.Relation{Name: fmt.Sprintf("cap%d", n/3%(names/8+1)), Op: nevra.EQ, EVR: nevra.EVR{Version: fmt.Sprint(1 + rng.IntN(3))}})
		}
		if n%3 == 1 {
			m.Files = append(m.Files, nevra.File{Path: fmt.Sprintf("/usr/bin/f%d", n)})
		}
		for range rng.IntN(3 + odds) {
			if n == 0 {
				break
			}
			switch rng.IntN(8) {
			case 0:
				m.Requires = append(m.Requires, nevra.Relation{Name: fmt.Sprintf("/usr/bin/f%d", rng.IntN(n)/3*3+1)})
			case 1:
				r := relation(rng.IntN(names/8 + 1))
				r.Name = "cap" + r.Name[1:]
				if odds > 2 {
					r = nevra.Relation{Name: r.Name}
				}
				m.Requires = append(m.Requires, r)
			case 2:
				a, b := relation(rng.IntN(n)), relation(rng.IntN(n))
				op := []string{"or", "if", "and"}[rng.IntN(3)]
				m.Requires = append(m.Requires, nevra.Relation{Name: fmt.Sprintf("(%s %s %s)", a, op, b)})
			default:
				m.Requires = append(m.Requires, relation(rng.IntN(n)))
			}
		}
		if rng.IntN(10*odds) == 0 {
			m.Conflicts = append(m.Conflicts, relation(rng.IntN(names)))
		}
		if rng.IntN(20*odds) == 0 {
			m.Obsoletes = append(m.Obsoletes, relation(rng.IntN(names)))
		}
		p.Candidates = append(p.Candidates, Candidate{Meta: m, Repo: fmt.Sprintf("r%d", n%3), Priority: 10 * (n % 3), Checksum: m.NEVRA.String(), ID: len(p.Candidates)})
	}
	for range 1 + rng.IntN(4) {
		m := p.Candidates[rng.IntN(len(p.Candidates))].Meta
		root := m.Name
		if rng.IntN(2) == 0 {
			root = m.NEVRA.String()
		}
		p.Roots = append(p.Roots, root)
	}
	if baseline {
		have := map[string]bool{}
		for range size / 4 {
			m := p.Candidates[rng.IntN(len(p.Candidates))].Meta
			if !have[m.Name] {
				have[m.Name] = true
				n := m.NEVRA
				if rng.IntN(4) == 0 {
					n.Release = "0"
				}
				p.Baseline = append(p.Baseline, n)
			}
		}
	}
	return p
}

const randomRuns = 100

func TestRandomRepositories(t *testing.T) {
	t.Parallel()
	solved, failed, searched, chosen := 0, 0, 0, 0
	for seed := range uint64(randomRuns) {
		size := []int{20, 60, 150, 500}[seed%4]
		p := generate(seed, size, seed%3 == 0)
		s, err := Solve(p)
		text := format(s, err)
		var u *Unsolvable
		installed := installedMeta(t, p)
		switch {
		case err == nil:
			solved++
			chosen += len(s.Chosen)
			(&judge{t: t}).check(p, s, installed)
		case errors.As(err, &u):
			failed++
			if len(u.Reasons) == 0 {
				t.Errorf("seed %d: unsolvable without a reason", seed)
			}
			if solvable(p, installed) {
				t.Errorf("seed %d: a solution exists, but Solve says\n%s", seed, text)
			}
			checkCore(t, p)
		default:
			t.Errorf("seed %d: %v", seed, err)
		}
		if byOracle := format(solveByOracle(p)); byOracle != text {
			t.Errorf("seed %d: got:\n%sby oracle:\n%s", seed, text, byOracle)
		}
		if !greedy(t, p) {
			searched++
		}
		rng := rand.New(rand.NewPCG(seed, 9))
		rng.Shuffle(len(p.Candidates), func(i, j int) { p.Candidates[i], p.Candidates[j] = p.Candidates[j], p.Candidates[i] })
		rng.Shuffle(len(p.Baseline), func(i, j int) { p.Baseline[i], p.Baseline[j] = p.Baseline[j], p.Baseline[i] })
		if again := format(Solve(p)); again != text {
			t.Errorf("seed %d: got:\n%sshuffled:\n%s", seed, text, again)
		}
		if t.Failed() {
			t.Fatalf("seed %d of size %d:\n%s", seed, size, text)
		}
	}
	t.Logf("%d solved with %d packages, %d unsolvable, %d needed the oracle", solved, chosen, failed, searched)
	if solved < 20 || failed < 10 || searched-failed < 3 {
		t.Errorf("the generated problems are too much alike: %d solved, %d unsolvable, %d needed the oracle", solved, failed, searched)
	}
}

func greedy(t *testing.T, p Problem) bool {
	t.Helper()
	u, err := newUniverse(p)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := u.resolveRoots(p.Roots)
	if err != nil {
		return false
	}
	return newWalk(u).run(roots)
}

// checkCore checks that the groups of an explanation contradict each other and
// that none of them is superfluous.
func checkCore(t *testing.T, p Problem) {
	t.Helper()
	u, err := newUniverse(p)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := u.resolveRoots(p.Roots)
	if err != nil {
		return
	}
	e := newEncoder(u, nil, true)
	e.encode(roots, nil)
	core := e.core()
	sat := func(leaveOut int) bool {
		for i, g := range core {
			if i != leaveOut {
				e.g.Assume(e.chosen[g])
			}
		}
		return e.g.Solve() == 1
	}
	if len(core) == 0 || sat(-1) {
		t.Errorf("the core does not contradict itself: %v", core)
	}
	for i, g := range core {
		if !sat(i) {
			t.Errorf("%v is superfluous in %v", g, core)
		}
	}
}
