package house

import (
	"go/ast"
	"strings"
	"testing"
)

// writers counts, by package, the calls that make a file or give one its name;
// renames are the functions that put a file in the place of another.
func (h *house) writers() (calls map[string]int, renames []string) {
	calls = map[string]int{}
	h.each(nil, func(dir string, _ *source, f *ast.FuncDecl) {
		renames = append(renames, h.written(dir, f, calls)...)
	})
	return calls, renames
}

func (h *house) written(dir string, f *ast.FuncDecl, calls map[string]int) (renames []string) {
	renaming := false
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		on, _ := s.X.(*ast.Ident)
		rename := strings.HasPrefix(s.Sel.Name, "Rename") && (on == nil || on.Name != "atomicfile")
		switch {
		case rename:
			calls[dir]++
			renaming = true
		case on == nil, on.Name != "os" && s.Sel.Name != "OpenFile":
		case s.Sel.Name == "WriteFile", s.Sel.Name == "Create", s.Sel.Name == "CreateTemp",
			s.Sel.Name == "OpenFile" && opensForWriting(call):
			calls[dir]++
		}
		return true
	})
	if renaming {
		renames = append(renames, named(dir, f))
	}
	return renames
}

// opensForWriting says whether a call of OpenFile has a flag that writes, or one
// that is not told here.
func opensForWriting(call *ast.CallExpr) bool {
	if len(call.Args) < 2 {
		return true
	}
	known, writes := false, false
	ast.Inspect(call.Args[1], func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch s.Sel.Name {
		case "O_RDONLY":
			known = true
		case "O_WRONLY", "O_RDWR", "O_CREATE", "O_CREAT", "O_APPEND", "O_TRUNC":
			known, writes = true, true
		}
		return true
	})
	return writes || !known
}

// TestWriters: files are made and named by the packages whose work that is.
func TestWriters(t *testing.T) {
	t.Parallel()
	found, _ := open(t).writers()
	within(t, "calls that make, open for writing or rename a file", found, 0, fileWriters())
}
