package depsolve

import (
	"strings"
	"testing"

	"kubecrate/pkg/nevra"
)

// TestRejected: a package that cannot be taken is named where it was asked for,
// by name, by what it provides or by a file, and nowhere else.
func TestRejected(t *testing.T) {
	t.Parallel()
	odd := &nevra.Metadata{
		NEVRA: nevra.NEVRA{Name: "odd", EVR: nevra.EVR{Version: "2", Release: "1"}, Arch: "noarch"}, Provides: []nevra.Relation{{Name: "cap"}},
		Files: []nevra.File{{Path: "/usr/bin/odd"}},
	}
	for _, c := range []struct{ problem, want string }{
		{"root a\na-1-1.noarch", ""},
		{"root odd\na-1-1.noarch", "odd-2-1.noarch has no checksum"},
		{"root odd-2-1\na-1-1.noarch", "odd-2-1.noarch has no checksum"},
		{"root a\na-1-1.noarch requires odd >= 2", "odd-2-1.noarch has no checksum"},
		{"root a\na-1-1.noarch requires cap", "odd-2-1.noarch has no checksum"},
		{"root a\na-1-1.noarch requires /usr/bin/odd", "odd-2-1.noarch has no checksum"},
	} {
		p := parseProblem(t, c.problem)
		p.Rejected = []Rejected{{Meta: odd, Why: "has no checksum"}}
		_, err := Solve(p)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.problem, err, c.want)
		}
	}
}
