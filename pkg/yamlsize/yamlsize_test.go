package yamlsize

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		most int
		want int
	}{
		{"", 0, 0},
		{"a", 0, 0},
		{"a: b", 0, 1},
		{"a: b\n", 2, 0},
		{"a: b\nc: d\n", 2, 2},
		{"a:\r\n- x\r\n", 4, 0},
		{"a:\r\n- x\r\n", 3, 2},
		{"[a,b]", 1, 1},
		{"[a,b]", 2, 0},
		{"-\u2028-\u2028-", 4, 3},
		{"-\u0085-\u0085-", 4, 3},
		{"https://a-b.example:5000/c?d=e", 0, 0},
		{"kubeadm-1.17.4-0.x86_64", 0, 0},
		{"\xff\xfea\x00", 2, 0},
		{"\xff\xfea\x00b\x00", 2, 1},
	} {
		if got := Line([]byte(test.text), test.most); got != test.want {
			t.Errorf("%q, %d: line %d, want %d", test.text, test.most, got, test.want)
		}
	}
}

// counted is the least bound that Line lets text through with.
func counted(text []byte) int {
	low, high := 0, len(text)+1
	for low < high {
		if middle := (low + high) / 2; Line(text, middle) == 0 {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// nodes is how many values the library makes of text, and whether it takes it.
func nodes(text []byte) (n int, ok bool) {
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			return n, errors.Is(err, io.EOF)
		}
		var count func(*yaml.Node)
		count = func(y *yaml.Node) {
			n++
			for _, c := range y.Content {
				count(c)
			}
		}
		count(&doc)
	}
}

// check compares the bound of text with the library.
func check(t *testing.T, text []byte) {
	t.Helper()
	const beside = 4 // a document, what it is, and the first pair of it
	if n, ok := nodes(text); ok && n > PerCount*counted(text)+beside {
		t.Errorf("%.80q has %d values, and %d are counted", text, n, counted(text))
	}
}

// TestBound: whatever makes the library make a value is counted.
func TestBound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, each, after string }{
		{"", "- {}\n", ""},
		{"", "-\n", ""},
		{"", "-\r", ""},
		{"", "-\u2028", ""},
		{"", "-\u0085", ""},
		{"", "- ", "a"},
		{"", "-\t", "a"},
		{"[", "a,", "]"},
		{"[", "a: b,", "]"},
		{"[", `"a":b,`, "]"},
		{"[", "? a,", "]"},
		{"[", ":,", "]"},
		{"{", "a,", "}"},
		{"", "? a\n", ""},
		{"", "---\n", ""},
		{"a: &a [", "*a ,", "]"},
		{"", "[", strings.Repeat("]", 500)},
		{"", "{a: ", strings.Repeat("}", 500)},
	} {
		text := []byte(test.before + strings.Repeat(test.each, 500) + test.after)
		check(t, text)
		if counted(text) < 400 {
			t.Errorf("%.40q: %d are counted", text, counted(text))
		}
	}
	profiles, err := filepath.Glob("../../manifest/profiles/*.yaml")
	if err != nil || len(profiles) == 0 {
		t.Fatal("no profiles", err)
	}
	for _, name := range profiles {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(t, text)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a: [b, {c: d}]\n? e\n: f\n")
	f.Add("- -\u2028-\r- !!str &x\n- *x\n--- |\n text\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		check(t, []byte(text))
		if line := Line([]byte(text), 0); line < 0 || line > len(text)+1 {
			t.Errorf("line %d", line)
		}
	})
}
