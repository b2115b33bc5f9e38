package depsolve

import (
	"errors"
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

func TestParseRich(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"(a and b)", "(a and b)"},
		{"( a  and b and c )", "(a and b and c)"},
		{"(a >= 1:2-3 or b)", "(a >= 1:2-3 or b)"},
		{"(a if b else c)", "(a if b else c)"},
		{"(a unless b)", "(a unless b)"},
		{"(a with b with c)", "(a with b with c)"},
		{"(a without b)", "(a without b)"},
		{"((a or b) and (c if d))", "((a or b) and (c if d))"},
		{"(lib.so.1()(64bit) or perl(A::B) >= 2)", "(lib.so.1()(64bit) or perl(A::B) >= 2)"},
		{"(a)", "a"},
	} {
		n, err := parseRich(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := n.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	for _, in := range []string{
		"", "a", "(", "()", "(a", "(a and)", "(a and b) c", "(a and b or c)", "(a if b if c)", "(a if b else c else d)", "(a else b)",
		"(a xor b)", "(a without b without c)", "(a >=", "(a >= )", "(a b)", strings.Repeat("(", 40) + "a" + strings.Repeat(")", 40), "(" + strings.Repeat("a", maxRichLength) + ")",
	} {
		if n, err := parseRich(in); !errors.Is(err, errRich) {
			t.Errorf("%.40q: got %v, %v", in, n, err)
		}
	}
}

// FuzzParseRich looks for crashes, and for texts that are read differently
// once they are written out again.
func FuzzParseRich(f *testing.F) {
	for _, s := range []string{"(a and b)", "(a >= 1:2-3 if (b or c) else d)", "(lib.so.1()(64bit) without x)", "((((", "(a unless b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseRich(s)
		if err != nil {
			if !errors.Is(err, errRich) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if n.op == "" {
			return
		}
		again, err := parseRich(n.String())
		if err != nil || again.String() != n.String() {
			t.Errorf("%q: %s, then %v %v", s, n, again, err)
		}
	})
}

// FuzzSolve solves problems of the tests' text format with whatever relations
// come up: it must end, not panic, and give the same by both ways.
func FuzzSolve(f *testing.F) {
	f.Add("b >= 1", "(c if a)", "b < 2", "c", "x")
	f.Add("/bin/sh", "a = 1-1", "(a unless b)", "b", "b-1-1")
	f.Fuzz(func(t *testing.T, r1, r2, conflict, obsolete, root string) {
		for _, s := range []string{r1, r2, conflict, obsolete, root} {
			if strings.ContainsAny(s, ";,\n\r") || len(s) > 200 {
				return
			}
			if _, ok := nevra.ParseRelation(s); !ok && !strings.HasPrefix(s, "(") {
				return
			}
		}
		text := "root a\nroot " + root + "\ninstalled c-1-1.noarch\nc-1-1.noarch requires a\nc-2-1.noarch\nb-2-1.noarch\n" +
			"a-1-1.noarch requires " + r1 + "\na-2-1.noarch requires " + r2 + " ; conflicts " + conflict + "\nb-1-1.noarch obsoletes " + obsolete + " ; file /bin/sh\n"
		one := format(Solve(parseProblem(t, text)))
		if two := format(solveByOracle(parseProblem(t, text))); one != two {
			t.Errorf("%s\ngot:\n%sby oracle:\n%s", text, one, two)
		}
	})
}
