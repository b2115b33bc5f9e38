package modules

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
)

// doc writes a modulemd of a stream; requires is YAML, "" for none.
func doc(name, stream, requires string, rpms ...string) string {
	list := ""
	for _, r := range rpms {
		list += fmt.Sprintf("    - %s\n", r)
	}
	deps := ""
	if requires != "" {
		deps = "  dependencies:\n  - buildrequires: {platform: [el8]}\n    requires: " + requires + "\n"
	}
	return fmt.Sprintf("---\ndocument: modulemd\nversion: 2\ndata:\n  name: %s\n  stream: %s\n  version: 8010020200101\n  context: c0ffee42\n  arch: x86_64\n"+
		"  summary: x\n  license: {module: [MIT]}\n%s  artifacts:\n    rpms:\n%s...\n", name, stream, deps, list)
}

func defaults(name, stream string) string {
	return fmt.Sprintf("---\ndocument: modulemd-defaults\nversion: 1\ndata: {module: %s, stream: \"%s\", profiles: {}}\n...\n", name, stream)
}

func read(t testing.TB, text string) *Index {
	t.Helper()
	x := &Index{}
	if odd, err := x.Read(strings.NewReader(text)); err != nil || odd != 0 {
		t.Fatalf("%d documents left out, %v", odd, err)
	}
	return x
}

func TestSee(t *testing.T) {
	t.Parallel()
	text := doc("tool", "1", "{platform: [el8]}", "tool-0:1.0-1.noarch", "libtool-1:1.0-1.noarch") +
		doc("tool", "2", "{platform: [el8], perl: [5.26]}", "tool-0:2.0-1.noarch") +
		doc("perl", "5.26", "", "perl-4:5.26-1.x86_64") + doc("perl", "5.30", "", "perl-4:5.30-1.x86_64") +
		doc("app", "x", "{tool: []}", "app-1-1.noarch") + doc("lost", "1", "{gone: [1]}", "lost-1-1.noarch") +
		doc("not2", "1", "{tool: ['-2']}", "not2-1-1.noarch") +
		defaults("tool", "1") + defaults("app", "x") + defaults("lost", "1") + defaults("not2", "1")
	for _, c := range []struct {
		chosen, seen, hidden string
	}{
		{"", "tool-1.0-1.noarch libtool-1:1.0-1.noarch app-1-1.noarch not2-1-1.noarch other-1-1.noarch",
			"tool-2.0-1.noarch perl-4:5.26-1.x86_64 perl-4:5.30-1.x86_64 lost-1-1.noarch tool-3-1.el8.noarch libtool-9-1.noarch"},
		{"tool:2", "tool-2.0-1.noarch perl-4:5.26-1.x86_64 app-1-1.noarch libtool-9-1.noarch",
			"tool-1.0-1.noarch libtool-1:1.0-1.noarch perl-4:5.30-1.x86_64 not2-1-1.noarch perl-4:5.40-1.x86_64"},
		{"perl:5.30", "perl-4:5.30-1.x86_64 tool-1.0-1.noarch", "perl-4:5.26-1.x86_64 tool-2.0-1.noarch"},
	} {
		v, err := read(t, text).See(strings.Fields(c.chosen))
		if err != nil {
			t.Fatalf("%s: %v", c.chosen, err)
		}
		for _, n := range strings.Fields(c.seen) {
			if why := v.Hidden(parse(t, n)); why != "" {
				t.Errorf("with %q: %s %s", c.chosen, n, why)
			}
		}
		for _, n := range strings.Fields(c.hidden) {
			if v.Hidden(parse(t, n)) == "" {
				t.Errorf("with %q: %s is seen", c.chosen, n)
			}
		}
	}
	x := read(t, text)
	for _, c := range []struct{ chosen, want, hint string }{
		{"tool:3", "no repository has it", "tool:1, tool:2"},
		{"none:1", "no repository has it", "remove it from packages.modules"},
		{"tool", "no repository has it", "tool:1"},
		{"lost:1", "it requires streams of other modules", "dnf module info lost:1"},
		{"tool:2 perl:5.30", "it requires streams of other modules", "dnf module info tool:2"},
	} {
		if _, err := x.See(strings.Fields(c.chosen)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v (hint %q), want %q", c.chosen, err, hint.Of(err), c.want)
		}
	}
	v, err := x.See(nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := v.Module(parse(t, "tool-1.0-1.noarch")); m == nil || m.String() != "tool:1" || !v.Default(m) || strings.Join(v.Others(m), " ") != "2" {
		t.Errorf("tool is of %v", m)
	}
	if why := v.Hidden(parse(t, "tool-2.0-1.noarch")); !strings.Contains(why, "is from the module stream tool:2, but tool:1 is active: to choose it, write tool:2 under packages.modules") {
		t.Error(why)
	}
}

func parse(t testing.TB, s string) nevra.NEVRA {
	t.Helper()
	n, err := nevra.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOddDocuments: one document that cannot be used costs none of the others.
func TestOddDocuments(t *testing.T) {
	t.Parallel()
	good := doc("tool", "1", "", "tool-1-1.noarch")
	for _, c := range []struct {
		name, odd string
		want      int
	}{
		{"another kind", "---\ndocument: modulemd-translations\nversion: 1\ndata: {module: x, stream: \"1\"}\n...\n", 0},
		{"version 1", "---\ndocument: modulemd\nversion: 1\ndata: {name: old, stream: f28, dependencies: {requires: {platform: f28}}}\n...\n", 0},
		{"no name", "---\ndocument: modulemd\nversion: 2\ndata: {stream: \"1\"}\n...\n", 1},
		{"a package that is none", doc("x", "1", "", "nonsense"), 1},
		{"a list for a name", "---\ndocument: modulemd\nversion: 2\ndata: {name: [a], stream: \"1\"}\n...\n", 1},
		{"dependencies that are text", "---\ndocument: modulemd\nversion: 2\ndata: {name: a, stream: \"1\", dependencies: none}\n...\n", 1},
	} {
		x := &Index{}
		odd, err := x.Read(strings.NewReader(good + c.odd + doc("tool", "2", "", "tool-2-1.noarch")))
		if err != nil || odd != c.want || len(x.streams("tool")) != 2 {
			t.Errorf("%s: %d left out, streams %q, %v", c.name, odd, x.streams("tool"), err)
		}
	}
	if _, err := (&Index{}).Read(strings.NewReader(good + "---\n\t{")); err == nil {
		t.Error("what is not YAML was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(doc("tool", "1", "{perl: [5.26], tool: []}", "tool-0:1.0-1.noarch") + defaults("tool", "1")))
	f.Fuzz(func(t *testing.T, text []byte) {
		x := &Index{}
		if _, err := x.Read(bytes.NewReader(text)); err != nil {
			return
		}
		v, err := x.See(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range x.Modules {
			for _, n := range m.Artifacts {
				if v.Module(n) != nil && v.Hidden(n) != "" {
					t.Fatalf("%s is seen and hidden", n)
				}
			}
		}
	})
}

// TestManyValues: nodes, which take a hundred times the memory of their text, are
// not made of a text that has too many. Not parallel: it counts the memory.
func TestManyValues(t *testing.T) {
	for _, each := range []string{"- {}\n", "- - - -\n", "-\u2028"} {
		text := "data:\n" + strings.Repeat(each, maxValues)[:4*maxValues]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := new(Index).Read(strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("%q: %v", each, err)
		}
		const most = 100 << 20
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%q: %d bytes allocated for %d", each, used, len(text))
		}
	}
}
