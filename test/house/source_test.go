// Package house holds the source to the rules of the house: what each package may
// know, write and import, and how large things may grow. It reads the text of the
// programs alone, so it takes a second and needs no build. What is over a limit is
// in a table with the reason; a number there is what the source had when it was
// written down, and may only shrink.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// dirVariable names another checkout for TestMeter to measure.
const dirVariable = "KUBECRATE_HOUSE"

const module = "kubecrate/"

// source is a file of a program, and not of its tests.
type source struct {
	path  string // slash-separated, below the root
	lines int
	file  *ast.File
}

// house is the source of both programs. Packages for tests, whose names end with
// test, are no part of it.
type house struct {
	fset     *token.FileSet
	packages map[string][]*source // by directory below the root
}

// today is the house that the tests look at.
var today = sync.OnceValues(func() (*house, error) { return read(filepath.Join("..", "..")) })

func open(t *testing.T) *house {
	t.Helper()
	h, err := today()
	if err != nil {
		t.Fatal(err)
	}
	if len(h.packages) == 0 {
		t.Fatal("no package is found")
	}
	return h
}

func read(root string) (*house, error) {
	h := &house{fset: token.NewFileSet(), packages: map[string][]*source{}}
	for _, top := range []string{"cmd", "manifest", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || strings.HasSuffix(d.Name(), "test")):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			return h.add(root, name)
		})
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *house) add(root, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(h.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	below, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	below = filepath.ToSlash(below)
	dir := path.Dir(below)
	h.packages[dir] = append(h.packages[dir], &source{path: below, lines: strings.Count(string(text), "\n"), file: file})
	return nil
}

// dirs are the packages in order.
func (h *house) dirs() []string { return slices.Sorted(maps.Keys(h.packages)) }

// each calls f with every file, and with every function of it, in order.
func (h *house) each(file func(dir string, s *source), function func(dir string, s *source, f *ast.FuncDecl)) {
	for _, dir := range h.dirs() {
		for _, s := range h.packages[dir] {
			if file != nil {
				file(dir, s)
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && function != nil {
					function(dir, s, f)
				}
			}
		}
	}
}

// imports lists what a file imports.
func (s *source) imports() []string {
	var list []string
	for _, i := range s.file.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// linked are the packages of the house that a program links.
func (h *house) linked(program string) map[string]bool {
	seen := map[string]bool{program: true}
	for todo := []string{program}; len(todo) > 0; {
		dir := todo[0]
		todo = todo[1:]
		for _, s := range h.packages[dir] {
			for _, i := range s.imports() {
				next, own := strings.CutPrefix(i, module)
				if own && !seen[next] && h.packages[next] != nil {
					seen[next] = true
					todo = append(todo, next)
				}
			}
		}
	}
	return seen
}

// receiver is the name of the type that f is a method of, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	for e := f.Recv.List[0].Type; ; {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// length is the lines of f, without the comments that stand by themselves.
func (h *house) length(s *source, f *ast.FuncDecl) int {
	code := map[int]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if n != nil {
			code[h.fset.Position(n.Pos()).Line] = true
		}
		return true
	})
	n := h.fset.Position(f.End()).Line - h.fset.Position(f.Pos()).Line + 1
	for _, group := range s.file.Comments {
		if group.Pos() < f.Pos() || group.End() > f.End() {
			continue
		}
		for line := h.fset.Position(group.Pos()).Line; line <= h.fset.Position(group.End()).Line; line++ {
			if !code[line] {
				n--
			}
		}
	}
	return n
}

// named is a function's name as errors give it.
func named(dir string, f *ast.FuncDecl) string {
	if r := receiver(f); r != "" {
		return dir + "." + r + "." + f.Name.Name
	}
	return dir + "." + f.Name.Name
}

// limit is what a package or a function may have beyond the rule, and why.
type limit struct {
	most int
	why  string
}

// within fails t where found is over the limit of its name, which is least where
// the table has none, and tells what the table could give up.
func within(t *testing.T, what string, found map[string]int, least int, table map[string]limit) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		most := least
		if l, ok := table[name]; ok {
			most = l.most
		}
		if n := found[name]; n > most {
			t.Errorf("%s has %d %s, at most %d", name, n, what, most)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		l := table[name]
		switch n := found[name]; {
		case l.why == "":
			t.Errorf("%s is an exception without a reason", name)
		case n <= least:
			t.Logf("%s is no exception any more: take it off the table of %s", name, what)
		case n < l.most:
			t.Logf("%s has %d %s by now, the table may say so in place of %d", name, n, what, l.most)
		}
	}
}
