package nevra

import "testing"

func TestVercmp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.00", 0}, {"1.0", "1_0", 0}, {"1.0", "1", 1}, {"1.10", "1.9", 1}, {"010", "9", 1},
		{"1.0a", "1.0", 1}, {"1.a", "1.1", -1}, {"a", "b", -1}, {"a", "A", 1}, {"1.0~rc1", "1.0", -1}, {"1.0~rc1", "1.0~rc2", -1},
		{"1.0~~", "1.0~", -1}, {"1.0^", "1.0", 1}, {"1.0^git1", "1.0.1", -1}, {"1.0^git1~pre", "1.0^git1", -1}, {"", "", 0}, {"", "1", -1},
		{"2.17.18.06.3.ce", "2.17", 1}, {"9223372036854775808", "9223372036854775807", 1},
	} {
		if got := Vercmp(c.a, c.b); got != c.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Vercmp(c.b, c.a); got != -c.want {
			t.Errorf("Vercmp(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want NEVRA
		file string
	}{
		{"docker-ce-3:18.06.3.ce-3.el7.x86_64", NEVRA{"docker-ce", EVR{"3", "18.06.3.ce", "3.el7"}, "x86_64"}, "docker-ce-18.06.3.ce-3.el7.x86_64.rpm"},
		{"libstdc++-4.8.5-44.el7.i686", NEVRA{"libstdc++", EVR{"", "4.8.5", "44.el7"}, "i686"}, "libstdc++-4.8.5-44.el7.i686.rpm"},
	} {
		got, err := Parse(c.text)
		if err != nil || got != c.want || got.String() != c.text || got.FileName() != c.file {
			t.Errorf("Parse(%q) = %+v, %v; writes itself %s and %s", c.text, got, err, got, got.FileName())
		}
	}
	if n := (NEVRA{"a", EVR{"0", "1", "2"}, "noarch"}).String(); n != "a-1-2.noarch" {
		t.Errorf("an epoch of 0 is written: %s", n)
	}
	for _, bad := range []string{"", "a", "a-1", "a-1-2", "a-1-.noarch", "-1-2.noarch", "a-x:1-2.noarch", "a-1-2."} {
		if n, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %+v", bad, n)
		}
	}
}

func TestParseEVR(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]EVR{
		"1": {"", "1", ""}, "1-2": {"", "1", "2"}, "0:1-2": {"0", "1", "2"}, ":1": {"0", "1", ""}, "x:1": {"", "x:1", ""}, "1-2-3": {"", "1-2", "3"},
	} {
		if got := ParseEVR(text); got != want {
			t.Errorf("ParseEVR(%q) = %+v, want %+v", text, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	rel := func(op Op, evr string) Relation {
		r := Relation{Name: "a", Op: op}
		if evr != "" {
			r.EVR = ParseEVR(evr)
		}
		return r
	}
	for _, c := range []struct {
		need, have Relation
		want       bool
	}{
		{rel(Any, ""), rel(EQ, "1-1"), true}, {rel(GE, "1"), rel(Any, ""), true}, {rel(EQ, "1"), rel(EQ, "1-9"), true},
		{rel(EQ, "1-1"), rel(EQ, "1-2"), false}, {rel(GE, "1-2"), rel(EQ, "1-2"), true}, {rel(GT, "1-2"), rel(EQ, "1-2"), false},
		{rel(LT, "2"), rel(GT, "1"), true}, {rel(LT, "1"), rel(GE, "1"), false}, {rel(EQ, "1:1"), rel(EQ, "1"), false}, {rel(GE, "0:1"), rel(EQ, "1"), true},
		{rel(EQ, "1"), rel(LT, "1-5"), true}, {rel(LE, "1"), rel(GT, "1"), false},
	} {
		if got := c.need.Matches(c.have); got != c.want {
			t.Errorf("%s by %s: %v, want %v", c.need, c.have, got, c.want)
		}
	}
	if other := (Relation{Name: "b"}); other.Matches(rel(Any, "")) {
		t.Error("another name matches")
	}
}
