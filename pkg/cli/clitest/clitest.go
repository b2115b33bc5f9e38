// Package clitest holds the commands of a program to the rules of the house, for
// the tests of both programs.
package clitest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// CheckVerbs fails t unless every command of root has a file in dir of the same
// name, which makes this command and no other, and root.go adds it.
func CheckVerbs(t *testing.T, root *cobra.Command, dir string) {
	t.Helper()
	added := parse(t, filepath.Join(dir, "root.go"))
	for _, c := range root.Commands() {
		name := c.Name()
		if name == "help" || name == "completion" { // added by the library itself
			continue
		}
		file := filepath.Join(dir, name+".go")
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the verb %s does not have its own file: %v", name, err)
			continue
		}
		maker := name + "Cmd"
		makers := declared(parse(t, file), root.Commands())
		if !slices.Equal(makers, []string{maker}) {
			t.Errorf("%s makes the commands %v, want %s alone", file, makers, maker)
		}
		if !calls(added, maker) {
			t.Errorf("root.go does not add %s", maker)
		}
	}
	if makers := declared(added, root.Commands()); len(makers) != 0 {
		t.Errorf("root.go makes the commands %v, want none but root", makers)
	}
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// declared lists the functions of f that make a verb of the program.
func declared(f *ast.File, verbs []*cobra.Command) []string {
	var names []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		verb, ok := strings.CutSuffix(fn.Name.Name, "Cmd")
		if ok && slices.ContainsFunc(verbs, func(c *cobra.Command) bool { return c.Name() == verb }) {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}

// calls says whether f calls a method of this name.
func calls(f *ast.File, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == name {
				found = true
			}
		}
		return !found
	})
	return found
}
