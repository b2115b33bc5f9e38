package house

import (
	"go/ast"
	"maps"
	"slices"
	"testing"
)

// The limits of the house.
const (
	mostMethods       = 25
	mostFiles         = 15
	mostFunctionLines = 60
	mostFileLines     = 400
)

// methods counts the methods of each type, by package and type.
func (h *house) methods() map[string]int {
	found := map[string]int{}
	h.each(nil, func(dir string, _ *source, f *ast.FuncDecl) {
		if r := receiver(f); r != "" {
			found[dir+"."+r]++
		}
	})
	return found
}

func (h *house) files() map[string]int {
	found := map[string]int{}
	for dir, list := range h.packages {
		found[dir] = len(list)
	}
	return found
}

func (h *house) functionLines() map[string]int {
	found := map[string]int{}
	h.each(nil, func(dir string, s *source, f *ast.FuncDecl) {
		name := named(dir, f)
		found[name] = max(found[name], h.length(s, f))
	})
	return found
}

func (h *house) fileLines() map[string]int {
	found := map[string]int{}
	h.each(func(_ string, s *source) { found[s.path] = s.lines }, nil)
	return found
}

func TestMethods(t *testing.T) {
	t.Parallel()
	within(t, "methods", open(t).methods(), mostMethods, manyMethods())
}

func TestFiles(t *testing.T) {
	t.Parallel()
	within(t, "files", open(t).files(), mostFiles, manyFiles())
}

func TestLines(t *testing.T) {
	t.Parallel()
	h := open(t)
	within(t, "lines", h.functionLines(), mostFunctionLines, nil)
	within(t, "lines", h.fileLines(), mostFileLines, longFiles())
}

// unreachable lists the functions and methods whose name stands nowhere in the
// programs but where they are declared. What a name in the standard library
// calls, such as String, is not among them.
func (h *house) unreachable() []string {
	used, declared := map[string]int{}, map[string]int{}
	var all []*ast.FuncDecl
	dirs := map[*ast.FuncDecl]string{}
	h.each(func(_ string, s *source) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				used[id.Name]++
			}
			return true
		})
	}, func(dir string, _ *source, f *ast.FuncDecl) {
		declared[f.Name.Name]++
		all = append(all, f)
		dirs[f] = dir
	})
	var list []string
	for _, f := range all {
		name := f.Name.Name
		if name == "main" || name == "init" || receiver(f) != "" && slices.Contains(standard(), name) {
			continue
		}
		if used[name] == declared[name] {
			list = append(list, named(dirs[f], f))
		}
	}
	slices.Sort(list)
	return list
}

// standard are the methods that the standard library and the modules call
// through interfaces of their own.
func standard() []string {
	return []string{
		"As", "BlockSize", "Close", "Error", "Format", "Is", "MarshalJSON", "MarshalText", "MarshalYAML", "Mode", "ModTime",
		"Read", "ReadAt", "ReadDir", "ReadFrom", "Reset", "Resolve", "RoundTrip", "Seek", "Set", "String", "Sum", "Sys", "Type",
		"UnmarshalJSON", "UnmarshalText", "UnmarshalYAML", "Unwrap", "Write", "WriteTo", "WriteText", "ExitCode", "Lines",
	}
}

// TestUnreachable: no function is there that no program calls.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	table := unreached()
	for _, name := range open(t).unreachable() {
		if table[name] == "" {
			t.Errorf("%s is called by no program: a test's own belongs to its tests", name)
		}
		delete(table, name)
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		t.Logf("%s is called by now, or gone: take it off the table", name)
	}
}
