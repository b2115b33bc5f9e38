package suggest_test

import (
	"strings"
	"testing"

	"kubecrate/pkg/suggest"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"roots", "rotos", 1},
		{"roots", "roost", 1},
		{"v1.17.4", "v1.17.3", 1},
		{"kitten", "sitting", 3},
		{"pakages", "packages", 1},
		{long, long, 0},
		{long, "x", 128},
	} {
		if got := suggest.Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := suggest.Distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func FuzzDistance(f *testing.F) {
	f.Add("v1.17.4", "v1.17.3")
	f.Fuzz(func(t *testing.T, a, b string) {
		if d := suggest.Distance(a, b); d != suggest.Distance(b, a) || (d == 0) != (a == b) {
			t.Fatalf("%q and %q: %d", a, b, d)
		}
	})
}
