package house

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSees: the rules see what they forbid, in a house made up for it.
func TestSees(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"cmd/install/main.go": "package main\n\nimport \"kubecrate/pkg/prep\"\n\nfunc main() { prep.Do() }\n",
		"cmd/bundle/main.go":  "package main\n\nimport \"kubecrate/pkg/built\"\n\nfunc main() { built.Do() }\n",
		"manifest/m.go":       "package manifest\n",
		"pkg/built/b.go":      "package built\n\n// Do is not linked by the installer.\nfunc Do() { print(\"flannel\") }\n",
		"pkg/prep/p.go": `package prep

import (
	"os"

	"example.org/some/where"
)

type thing struct{}

func (*thing) one()    {}
func (t thing) two()   { t.one() }
func (thing) String()  {}

// Do names docker in a comment, which is no knowledge.
func Do() {
	// a comment of its own
	thing{}.two()
	print("yum install flannel", "docker.io/library/x", "containerd") // beside code
	os.Rename("a", "b")
	os.OpenFile("a", os.O_RDONLY, 0)
	os.OpenFile("a", os.O_WRONLY, 0)
	where.Do()
}

func forgotten() {}
`,
		"pkg/prep/p_test.go":     "package prep\n\nfunc init() { forgotten(); print(\"calico\") }\n",
		"pkg/prep/preptest/x.go": "package preptest\n\nfunc init() { print(\"calico\") }\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knowledges() {
		found, files := h.places(k)
		if len(found) != 1 || found["pkg/prep"] != 1 || files != 1 {
			t.Errorf("%s: %v in %d files, want one in pkg/prep", k.what, found, files)
		}
	}
	if n := h.methods()["pkg/prep.thing"]; n != 3 {
		t.Errorf("%d methods, want 3", n)
	}
	if n := h.functionLines()["pkg/prep.Do"]; n != 8 {
		t.Errorf("Do has %d lines, want 8 without its comment", n)
	}
	if n := h.files()["pkg/prep"]; n != 1 {
		t.Errorf("%d files, want 1", n)
	}
	if dead := h.unreachable(); !slices.Equal(dead, []string{"pkg/prep.forgotten"}) {
		t.Errorf("unreachable: %v", dead)
	}
	if calls, renames := h.writers(); calls["pkg/prep"] != 2 || !slices.Equal(renames, []string{"pkg/prep.Do"}) {
		t.Errorf("writers: %v, %v", calls, renames)
	}
	if by := h.modules()["example.org/some"]; !slices.Equal(by, []string{"pkg/prep"}) {
		t.Errorf("importers: %v", by)
	}
}
