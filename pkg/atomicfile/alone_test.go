package atomicfile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestAlone: nobody else gives a file its final name by hand. What is listed
// has a reason.
func TestAlone(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"pkg/store/temp.go":   "content-addressed, in a directory of its own that Open sweeps",
		"pkg/host/file.go":    "links and owners as well, recorded for undo",
		"pkg/host/own.go":     "below the root of a host",
		"pkg/host/clear.go":   "moves what is there, and writes nothing",
		"pkg/step/journal.go": "below the journal, which is opened by one process",
	}
	banned := map[string]bool{"Rename": true, "CreateTemp": true, "Create": true, "WriteFile": true}
	const top = "../.."
	seen := 0
	for _, dir := range []string{"cmd", "manifest", "pkg"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, e fs.DirEntry, err error) error {
			name, rerr := filepath.Rel(top, path)
			if err != nil || rerr != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.HasPrefix(name, "pkg/atomicfile/") || strings.HasSuffix(filepath.Dir(name), "test") {
				return err
			}
			seen++
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || !banned[s.Sel.Name] {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "os" && allowed[name] == "" {
					t.Errorf("%s calls os.%s: pkg/atomicfile writes files", name, s.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}
