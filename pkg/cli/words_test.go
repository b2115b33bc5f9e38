package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// bare is a command of the installer as coreutils' install would get it.
var bare = regexp.MustCompile(`(^|[^\w./-])install (run|plan|verify|preflight|status|reset|ticket|load|smoke|inspect|inventory|version|man|help|--[a-z])`)

// yum has commands of that name, too.
var yum = regexp.MustCompile(`\b(yum|dnf)\b.* install `)

// TestInstallIsTypedWithItsPath: whatever a text tells people to type reaches this
// project's program and not coreutils' install.
func TestInstallIsTypedWithItsPath(t *testing.T) {
	t.Parallel()
	look := func(place, text string) {
		for line := range strings.Lines(text) {
			if bare.MatchString(line) && !yum.MatchString(line) {
				t.Errorf("%s: %q is coreutils' install: ./install", place, strings.TrimSpace(line))
			}
		}
	}
	for _, root := range []string{"../../cmd", "../../pkg", "../../manifest", "../../docs", "../../README.md"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go"):
				return err
			case strings.HasSuffix(path, ".go"):
				for place, text := range literals(t, path) {
					look(place, text)
				}
			case strings.HasSuffix(path, ".md"):
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				look(path, string(text))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// literals are the strings of a Go file, by their place.
func literals(t *testing.T, path string) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				found[fset.Position(lit.Pos()).String()] = text
			}
		}
		return true
	})
	return found
}
