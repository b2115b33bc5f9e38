package depsolve

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

// parseProblem reads the tests' format for problems, one statement a line:
//
//	arch A | root PIN | exclude PATTERN | weak | installed NEVRA
//	repo NAME [PRIORITY]
//	NEVRA [requires R, ...] [; provides R, ...] [; conflicts ...] [; obsoletes ...]
//	      [; recommends ...] [; supplements ...] [; suggests ...] [; enhances ...] [; file PATH, ...] [; hidden PATH, ...]
//
// A hidden file is one that only the file lists know.
func parseProblem(t testing.TB, text string) Problem {
	t.Helper()
	p := Problem{Arch: "x86_64"}
	repo, priority := "r", 0
	hidden := map[*nevra.Metadata][]nevra.File{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "", "#":
		case "arch":
			p.Arch = rest
		case "root":
			p.Roots = append(p.Roots, rest)
		case "exclude":
			p.Exclude = append(p.Exclude, rest)
		case "weak":
			p.Weak = true
		case "installed":
			p.Baseline = append(p.Baseline, mustNEVRA(t, rest))
		case "repo":
			name, n, _ := strings.Cut(rest, " ")
			repo, priority = name, 0
			if n != "" {
				priority = atoi(t, n)
			}
		default:
			m := parsePackage(t, word, rest, hidden)
			h := fnv.New64a()
			_, _ = h.Write([]byte(line))
			p.Candidates = append(p.Candidates, Candidate{
				Meta: m, Repo: repo, Priority: priority, ID: len(p.Candidates), Checksum: fmt.Sprintf("%016x", h.Sum64()),
			})
		}
	}
	calls := 0
	p.Filelists = func() error {
		if calls++; calls > 1 {
			return errors.New("file lists were asked for twice")
		}
		for m, files := range hidden {
			m.Files = append(m.Files, files...)
		}
		return nil
	}
	return p
}

func parsePackage(t testing.TB, id, rest string, hidden map[*nevra.Metadata][]nevra.File) *nevra.Metadata {
	t.Helper()
	m := &nevra.Metadata{NEVRA: mustNEVRA(t, id)}
	for part := range strings.SplitSeq(rest, ";") {
		kind, list, _ := strings.Cut(strings.TrimSpace(part), " ")
		if kind == "" {
			continue
		}
		for item := range strings.SplitSeq(list, ",") {
			item = strings.TrimSpace(item)
			r, ok := nevra.ParseRelation(item)
			if strings.HasPrefix(item, "(") {
				r, ok = nevra.Relation{Name: item}, true
			}
			if !ok {
				t.Fatalf("cannot read relation %q", item)
			}
			switch kind {
			case "requires":
				m.Requires = append(m.Requires, r)
			case "provides":
				m.Provides = append(m.Provides, r)
			case "conflicts":
				m.Conflicts = append(m.Conflicts, r)
			case "obsoletes":
				m.Obsoletes = append(m.Obsoletes, r)
			case "recommends":
				m.Recommends = append(m.Recommends, r)
			case "supplements":
				m.Supplements = append(m.Supplements, r)
			case "suggests":
				m.Suggests = append(m.Suggests, r)
			case "enhances":
				m.Enhances = append(m.Enhances, r)
			case "file":
				m.Files = append(m.Files, nevra.File{Path: item})
			case "hidden":
				hidden[m] = append(hidden[m], nevra.File{Path: item})
			default:
				t.Fatalf("cannot read %q of %s", kind, id)
			}
		}
	}
	return m
}

func mustNEVRA(t testing.TB, s string) nevra.NEVRA {
	t.Helper()
	n, err := nevra.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// format is what the tests compare: a line for each chosen package, each
// warning and each reason of a failure.
func format(s Solution, err error) string {
	var b strings.Builder
	var u *Unsolvable
	switch {
	case errors.As(err, &u):
		for _, r := range u.Reasons {
			fmt.Fprintf(&b, "! %s\n", r)
		}
	case err != nil:
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	for _, c := range s.Chosen {
		b.WriteString(c.Meta.NEVRA.String())
		if c.Root {
			b.WriteString(" root")
		}
		if c.Weak {
			b.WriteString(" weak")
		}
		if c.Upgrades != nil {
			fmt.Fprintf(&b, " upgrades %s", c.Upgrades)
		}
		for _, o := range c.Obsoletes {
			fmt.Fprintf(&b, " obsoletes %s", o)
		}
		if c.Repo != "r" {
			fmt.Fprintf(&b, " from %s", c.Repo)
		}
		b.WriteByte('\n')
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

func trimLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// solveByOracle solves with the SAT oracle asked at every step.
func solveByOracle(p Problem) (Solution, error) {
	u, err := newUniverse(p)
	if err != nil {
		return Solution{}, err
	}
	roots, err := u.resolveRoots(p.Roots)
	if err != nil {
		return Solution{}, err
	}
	w := newWalk(u)
	w.oracle = newOracle(u, roots, nil, nil)
	if !w.oracle.solve(nil) {
		return Solution{}, &Unsolvable{Reasons: u.explain(roots)}
	}
	if !w.run(roots) {
		return Solution{}, errors.New("the walk ended although a solution exists")
	}
	if w, err = u.prune(w); err != nil {
		return Solution{}, err
	}
	return u.report(roots, w), u.err
}
