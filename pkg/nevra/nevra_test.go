package nevra

import (
	"encoding/json"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want NEVRA
		file string
	}{
		{"docker-ce-3:18.06.3.ce-3.el7.x86_64", NEVRA{"docker-ce", EVR{"3", "18.06.3.ce", "3.el7"}, "x86_64"}, "docker-ce-18.06.3.ce-3.el7.x86_64.rpm"},
		{"libstdc++-4.8.5-44.el7.i686", NEVRA{"libstdc++", EVR{"", "4.8.5", "44.el7"}, "i686"}, "libstdc++-4.8.5-44.el7.i686.rpm"},
		{"kubeadm-1.17.4-0.x86_64", NEVRA{"kubeadm", EVR{"", "1.17.4", "0"}, "x86_64"}, "kubeadm-1.17.4-0.x86_64.rpm"},
		{"python-IPy-0.75-6.el7.noarch", NEVRA{"python-IPy", EVR{"", "0.75", "6.el7"}, "noarch"}, "python-IPy-0.75-6.el7.noarch.rpm"},
	} {
		got, err := Parse(c.text)
		if err != nil || got != c.want || got.String() != c.text || got.FileName() != c.file {
			t.Errorf("Parse(%q) = %+v, %v; writes itself %s and %s", c.text, got, err, got, got.FileName())
		}
	}
	if n := (NEVRA{"a", EVR{"0", "1", "2"}, "noarch"}).String(); n != "a-1-2.noarch" {
		t.Errorf("an epoch of 0 is written: %s", n)
	}
	for _, bad := range []string{"", "a", "a-1", "a-1-2", "a-1-.noarch", "-1-2.noarch", "a-x:1-2.noarch", "a-1-2.", "a-1:-2.noarch", "a b-1-2.noarch", "\v-1-2.noarch", "a\x1b-1-2.noarch", "../a-1-2.noarch", "a.b", "a-1.x86_64"} {
		if n, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %+v", bad, n)
		}
	}
}

func TestParseEVR(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want EVR
		back string
	}{
		{"1", EVR{"", "1", ""}, "1"}, {"1-2", EVR{"", "1", "2"}, "1-2"}, {"0:1-2", EVR{"0", "1", "2"}, "1-2"}, {"3:1.0", EVR{"3", "1.0", ""}, "3:1.0"},
		{":1", EVR{"0", "1", ""}, "1"}, {"x:1", EVR{"", "x:1", ""}, "x:1"}, {"1-2-3", EVR{"", "1-2", "3"}, "1-2-3"}, {"", EVR{}, ""},
	} {
		if got := ParseEVR(c.text); got != c.want || got.String() != c.back {
			t.Errorf("ParseEVR(%q) = %+v, which writes itself %q, want %+v and %q", c.text, got, got, c.want, c.back)
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

// TestText: a NEVRA in a document is the text that it always was.
func TestText(t *testing.T) {
	t.Parallel()
	type document struct {
		NEVRA NEVRA `json:"nevra"`
		Was   NEVRA `json:"was,omitzero"`
	}
	for text, want := range map[string]document{
		`{"nevra":"a-1-2.noarch"}`: {NEVRA: NEVRA{"a", EVR{"", "1", "2"}, "noarch"}},
		`{"nevra":"docker-ce-3:18.06.3.ce-3.el7.x86_64","was":"docker-ce-1-1.x86_64"}`: {
			NEVRA{"docker-ce", EVR{"3", "18.06.3.ce", "3.el7"}, "x86_64"}, NEVRA{"docker-ce", EVR{"", "1", "1"}, "x86_64"}},
		`{"nevra":""}`: {},
	} {
		var d document
		if err := json.Unmarshal([]byte(text), &d); err != nil || d != want {
			t.Errorf("%s: %+v, %v", text, d, err)
		}
		if got, err := json.Marshal(d); err != nil || string(got) != text {
			t.Errorf("%s, %v, want %s", got, err, text)
		}
	}
	var d document
	if err := json.Unmarshal([]byte(`{"nevra":"socat"}`), &d); err == nil || err.Error() != `"socat" must be name-[epoch:]version-release.arch` {
		t.Error(err)
	}
}
