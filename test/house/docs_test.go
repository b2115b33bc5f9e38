package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mentioned are the paths in a text on the architecture: those in code quotes that
// begin with a directory of this repository. A NAME stands for any.
func mentioned(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile("`((?:cmd|manifest|pkg|test)(?:/[A-Za-z0-9_./-]+)?)`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "NAME") {
			list = append(list, m[1])
		}
	}
	return list
}

// beside are the files that a text names after their package: "`pkg/bundle` (lock.go)".
func beside(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile("`(pkg/[a-z/]+)` \\(([a-z_]+\\.go)\\)").FindAllStringSubmatch(text, -1) {
		list = append(list, m[1]+"/"+m[2])
	}
	return list
}

// declaredIn are the functions that a text places in a file: "`steps` in `pkg/install/steps.go`".
func declaredIn(text string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile("`([A-Za-z]+)` in `([a-z]+/[A-Za-z/_]+\\.go)`").FindAllStringSubmatch(text, -1) {
		found[m[1]+" "+m[2]] = m[2]
	}
	return found
}

// TestArchitecture: the packages and files that docs/ARCHITECTURE.md names exist,
// and it names every package of the two programs.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	h := open(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	// The file of an addition is yet to be written.
	future := map[string]bool{"pkg/distro/el10.go": true}
	named := map[string]bool{}
	for _, p := range append(mentioned(string(text)), beside(string(text))...) {
		named[p] = true
		if _, err := os.Stat(filepath.Join("..", "..", p)); (err != nil) != future[p] {
			t.Errorf("docs/ARCHITECTURE.md names %s: %v", p, err)
		}
	}
	if len(named) < 50 {
		t.Errorf("docs/ARCHITECTURE.md names %d paths: the test no longer sees them", len(named))
	}
	for place, file := range declaredIn(string(text)) {
		name, _, _ := strings.Cut(place, " ")
		code, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil || !regexp.MustCompile(`(?m)^func (\([^)]*\) )?`+name+`\(`).Match(code) {
			t.Errorf("docs/ARCHITECTURE.md says that %s is in %s: %v", name, file, err)
		}
	}
	for dir := range h.packages {
		if strings.HasPrefix(dir, "pkg/") && strings.Count(dir, "/") == 1 && !named[dir] {
			t.Errorf("docs/ARCHITECTURE.md does not name %s", dir)
		}
	}
}
