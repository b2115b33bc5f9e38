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

// exception, before a reason, lets the line below it write a file in another way.
const exception = "//atomicfile:except "

// TestAlone: nobody else gives a file its final name by hand, nor makes one under
// it. Who has to says why in the line above.
func TestAlone(t *testing.T) {
	t.Parallel()
	const top = "../.."
	seen, excepted := 0, 0
	for _, dir := range []string{"cmd", "manifest", "pkg"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, e fs.DirEntry, err error) error {
			name, rerr := filepath.Rel(top, path)
			if err != nil || rerr != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.HasPrefix(name, "pkg/atomicfile/") || strings.HasSuffix(filepath.Dir(name), "test") {
				return err
			}
			seen++
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			bad, n := writers(set, f)
			excepted += n
			for _, what := range bad {
				t.Errorf("%s: pkg/atomicfile writes files", what)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
	const reasons = 5 // a log, the journal, a lock, and two of the cache
	if excepted != reasons {
		t.Errorf("%d exceptions, want %d: a new one wants a good reason, one that has gone is taken off here", excepted, reasons)
	}
}

// TestWriters: what TestAlone finds.
func TestWriters(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		"os.Rename(a, b)":                                    1,
		"root.Rename(a, b)":                                  1,
		"atomicfile.Rename(a, b)":                            0,
		"os.WriteFile(a, nil, 0)":                            1,
		"h.WriteFile(a, nil, 0)":                             0,
		"root.WriteFile(a, nil, 0)":                          1,
		"os.CreateTemp(a, b)":                                1,
		"os.Create(a)":                                       1,
		"os.Symlink(a, b)":                                   1,
		"os.OpenFile(a, os.O_RDWR, 0)":                       0,
		"os.OpenFile(a, os.O_RDWR|os.O_EXCL, 0)":             0,
		"r.OpenFile(a, os.O_RDWR|os.O_CREATE, 0)":            1,
		"unix.Open(a, unix.O_RDWR|unix.O_CREAT, 0)":          1,
		"\n//atomicfile:except it is a log\nos.Rename(a, b)": 0,
		"\n//atomicfile:except \nos.Rename(a, b)":            1,
	} {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, "x.go", "package x\nfunc f() {"+code+"\n}", parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if bad, _ := writers(set, f); len(bad) != want {
			t.Errorf("%s: %q", code, bad)
		}
	}
}

// writers lists the calls in f that make or name a file, and counts those that
// have a reason.
func writers(set *token.FileSet, f *ast.File) (bad []string, excepted int) {
	reasons := map[int]bool{} // by the line that they stand before
	for _, group := range f.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, exception); ok && strings.TrimSpace(reason) != "" {
				reasons[set.Position(c.End()).Line+1] = true
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !names(s) && !creates(call) {
			return true
		}
		at := set.Position(call.Pos())
		if reasons[at.Line] {
			excepted++
		} else {
			bad = append(bad, at.String()+" calls "+s.Sel.Name)
		}
		return true
	})
	return bad, excepted
}

// names says that s is a function of os, or a method of an *os.Root, that makes a
// file or gives it a name.
func names(s *ast.SelectorExpr) bool {
	x, ok := s.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch s.Sel.Name {
	case "Rename":
		return x.Name != "atomicfile"
	case "Symlink", "Link", "CreateTemp", "Create", "WriteFile":
		return x.Name == "os" || x.Name == "root" || x.Name == "r"
	}
	return false
}

// creates says that one of the arguments is a flag that makes a file.
func creates(call *ast.CallExpr) (found bool) {
	for _, a := range call.Args {
		ast.Inspect(a, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && (s.Sel.Name == "O_CREATE" || s.Sel.Name == "O_CREAT") {
				found = true
			}
			_, inner := n.(*ast.CallExpr)
			return !inner
		})
	}
	return found
}
