package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
)

// hostile is what must not reach a terminal as it is.
const hostile = "x\x1b[2J\a\u202e\u009b\x9b\ufeff\u2028\nhint: rm -rf /\r"

const shown = `x\x1b[2J\x07\u202e\u009b\x9b\ufeff\u2028\nhint: rm -rf /\r`

// program runs a program whose one verb is f.
func program(args []string, f func(*Out, *cobra.Command) error) (stdout, stderr string, code int) {
	var o, e bytes.Buffer
	out := NewOut(&o, &e)
	root := &cobra.Command{Use: "p"}
	out.Flags(root)
	root.AddCommand(&cobra.Command{Use: "do", RunE: func(c *cobra.Command, _ []string) error { return f(&out, c) }})
	code = Run(root, &out, append([]string{"do"}, args...))
	return o.String(), e.String(), code
}

// TestSink: whatever way something is printed, it is clean.
func TestSink(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(*Out, *cobra.Command) error{
		"error":   func(*Out, *cobra.Command) error { return errors.New(hostile) },
		"wrapped": func(*Out, *cobra.Command) error { return fmt.Errorf("cannot: %w", errors.New(hostile)) },
		"hint":    func(*Out, *cobra.Command) error { return hint.With(errors.New("e"), "ls %s", hostile) },
		"usage":   func(*Out, *cobra.Command) error { return Usagef("bad %s", hostile) },
		"table":   func(o *Out, _ *cobra.Command) error { return table.Print(o.Stdout, "%s", hostile) },
		"cobra": func(_ *Out, c *cobra.Command) error {
			c.PrintErrln(strings.ReplaceAll(hostile, "\n", `\n`))
			return nil
		},
		"cobra's out": func(_ *Out, c *cobra.Command) error {
			_, err := fmt.Fprint(c.OutOrStdout(), strings.ReplaceAll(hostile, "\n", `\n`))
			return err
		},
		"warning": func(o *Out, _ *cobra.Command) error {
			r := o.Progress()
			defer r.Close()
			r.Event(progress.Event{Kind: progress.Warn, Task: hostile, Text: hostile})
			return nil
		},
	} {
		stdout, stderr, _ := program(nil, f)
		got := stdout + stderr
		if !strings.Contains(got, shown) {
			t.Errorf("%s: %q has no %q", name, got, shown)
		}
		if strings.Contains(got, "\nhint: rm") || strings.ContainsAny(got, "\x1b\a\r\u202e\u009b\ufeff\u2028") || !utf8.ValidString(got) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestSinkJSON: every line is JSON, with the values as they were, and nothing of
// them is obeyed by a terminal.
func TestSinkJSON(t *testing.T) {
	t.Parallel()
	type value struct{ A, B string }
	const text = "x\x1b\u202e\u0085\x7f\U000e0041"
	stdout, stderr, _ := program([]string{"--output", "json"}, func(o *Out, _ *cobra.Command) error {
		r := o.Progress()
		r.Event(progress.Event{Kind: progress.Warn, Task: text, Text: text})
		r.Close()
		return errors.Join(o.Print(value{text, text}, nil), errors.New(text))
	})
	if stderr != "" || strings.ContainsAny(stdout, text[1:]) {
		t.Errorf("%q %q", stdout, stderr)
	}
	for line := range strings.Lines(stdout) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	if n := strings.Count(stdout, "\n"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}

// TestNothingPrintsPast: outside the edge no code writes to the standard streams,
// and what prints a result does it by pkg/table, whose arguments are cleaned.
func TestNothingPrintsPast(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"../../cmd", "../../pkg", "../../manifest"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, what := range prints(t, path) {
				t.Errorf("%s: %s goes past the sink", path, what)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// prints lists what in a file writes to where only the edge may.
func prints(t *testing.T, path string) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	edge := strings.HasSuffix(path, "/main.go") && strings.Contains(path, "/cmd/")
	for _, d := range file.Decls {
		f, _ := d.(*ast.FuncDecl)
		result := strings.Contains(path, "/cmd/") || f != nil && (strings.HasPrefix(f.Name.Name, "WriteText") || strings.HasPrefix(f.Name.Name, "writeText") || f.Name.Name == "WriteDiff")
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				name := fmt.Sprintf("%s.%s", n.X, n.Sel.Name)
				switch {
				case name == "os.Stdout", name == "os.Stderr":
					if !edge {
						found = append(found, name)
					}
				case name == "fmt.Print", name == "fmt.Printf", name == "fmt.Println",
					result && strings.HasPrefix(name, "fmt.Fprint"), strings.HasPrefix(name, "log.Print"), strings.HasPrefix(name, "log.Fatal"):
					found = append(found, name)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
					found = append(found, id.Name+" at "+strconv.Itoa(fset.Position(n.Pos()).Line))
				}
			}
			return true
		})
	}
	return found
}
