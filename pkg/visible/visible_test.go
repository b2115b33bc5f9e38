package visible_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kubecrate/pkg/visible"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		"kubelet-1.17.4":                       "kubelet-1.17.4",
		"Müller 容器 ☸ é":                        "Müller 容器 ☸ é",
		"a\nb\tc\rd":                           `a\nb\tc\rd`,
		"\x1b[2J\a":                            `\x1b[2J\x07`,
		"del\x7f":                              `del\u007f`,
		"c1\u009b2J\u0085":                     `c1\u009b2J\u0085`,
		"raw \x9b \xff \xc3":                   `raw \x9b \xff \xc3`,
		"\u202egnp.exe\u202c":                  `\u202egnp.exe\u202c`,
		"\u2066x\u2069\u200e\u200f\u061c":      `\u2066x\u2069\u200e\u200f\u061c`,
		"z\u200bw\u200dj\ufeff\u2060":          `z\u200bw\u200dj\ufeff\u2060`,
		"l\u2028p\u2029":                       `l\u2028p\u2029`,
		"soft\u00adhyphen \u180e\u3164":        `soft\u00adhyphen \u180e\u3164`,
		"tag \U000e0041":                       `tag \udb40\udc41`,
		"private \ue000 unassigned \U0003ffff": `private \ue000 unassigned \ud8bf\udfff`,
	} {
		if got := visible.Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := visible.Text("a\n\tb\x1b"); got != "a\n\tb"+`\x1b` {
		t.Errorf("Text = %q", got)
	}
}

// TestWriter: however a text is cut into writes, the same comes out.
func TestWriter(t *testing.T) {
	t.Parallel()
	const text = "é容☸\u202e\U000e0041\x1b[0m \x9b\n\xc3"
	want := visible.Text(text)
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := visible.NewWriter(&out)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if got, err := w.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatalf("wrote %d of %d: %v", got, n, err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil || out.String() != want {
			t.Errorf("in pieces of %d: %q, want %q (%v)", size, out.String(), want, err)
		}
	}
}

// TestWriterKeepsJSON: JSON that passes stays JSON, of the same value.
func TestWriterKeepsJSON(t *testing.T) {
	t.Parallel()
	const text = "<\u202e\u0085\x7f\x1b\U000e0041\ufeff\n>"
	var out bytes.Buffer
	enc := json.NewEncoder(visible.NewWriter(&out))
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		t.Fatal(err)
	}
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != text {
		t.Errorf("%s is %q: %v", out.Bytes(), back, err)
	}
	if got := visible.Text(out.String()); got != out.String() {
		t.Errorf("left something: %q", out.String())
	}
}

type liner struct{}

func (liner) Error() string   { return "two:\n  lines\x1b" }
func (liner) Lines() []string { return []string{"two:", "  lines\x1b"} }

type opaque struct{ error }

func (o opaque) Unwrap() error { return o.error }
func (opaque) Error() string   { return "of its\nown" }

func TestError(t *testing.T) {
	t.Parallel()
	bad := errors.New("name \"x\n ok everything fine\"")
	const cleaned = `name "x\n ok everything fine"`
	for _, c := range []struct {
		err  error
		want []string
	}{
		{nil, nil},
		{bad, []string{cleaned}},
		{fmt.Errorf("cannot read\x1b: %w", bad), []string{`cannot read\x1b: ` + cleaned}},
		{errors.Join(bad, errors.New("second")), []string{cleaned, "second"}},
		{errors.Join(bad), []string{cleaned}},
		{fmt.Errorf("all of: %w; that is it", errors.Join(bad, errors.New("b"))), []string{"all of: " + cleaned, "b; that is it"}},
		{fmt.Errorf("%w and\n%w", bad, errors.New("b")), []string{cleaned + ` and\nb`}},
		{fmt.Errorf("of %v", errors.Join(bad, bad).Error()), []string{`of ` + cleaned + `\n` + cleaned}},
		{fmt.Errorf("cannot: %w", liner{}), []string{"cannot: two:", `  lines\x1b`}},
		{opaque{bad}, []string{`of its\nown`}},
		{&visible.Quoted{Err: bad, Said: "a\tb\r\nhint: rm\n"}, []string{cleaned + ":", "  | a    b", "  | hint: rm"}},
		{&visible.Quoted{Err: bad}, []string{cleaned}},
	} {
		if got := visible.Error(c.err); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%v is\n%q, want\n%q", c.err, got, c.want)
		}
	}
}

type stringer struct{}

func (stringer) String() string { return "s\x1b" }

func TestArgs(t *testing.T) {
	t.Parallel()
	got := fmt.Sprintf("%-4s|%*d|%v|%s|%v|%q|%v|%5.1f|%v|%t", visible.Args([]any{
		"a\n", 3, 7, []string{"b\n"}, errors.New("c\nc"), stringer{}, "d\n", map[string]string{"e\n": "f"}, 1.25, nil, true,
	})...)
	const want = `a\n |  7|[b\n]|c\nc|s\x1b|"d\\n"|map[e\n:f]|  1.2|<nil>|true`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b\n\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := visible.Line(s)
		if !utf8.ValidString(got) || visible.Line(got) != got || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
		}) {
			t.Fatalf("Line(%q) = %q", s, got)
		}
	})
}
