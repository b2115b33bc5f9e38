package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/table"
	"kubecrate/pkg/version"
)

// Manual is the part of a program's man page that is not generated from its commands:
// rows of a name and its meaning.
type Manual struct {
	ExitStatus, Files, Environment [][2]string
}

// ManCmd returns the command that writes root's man page to a directory. The page is
// named kubecrate-PROGRAM, because install.1 is coreutils'.
func ManCmd(root *cobra.Command, out *Out, m Manual) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the man page to a directory",
		Example: fmt.Sprintf("  %s man /usr/local/share/man/man1", root.CommandPath()),
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			const dirMode, fileMode = 0o755, 0o644
			if err := os.MkdirAll(args[0], dirMode); err != nil {
				return fmt.Errorf("cannot create the directory: %w", err)
			}
			file := filepath.Join(args[0], pageName(root)+".1")
			if err := atomicfile.WriteFile(file, page(root, m, version.Date()), fileMode); err != nil {
				return fmt.Errorf("cannot write the man page: %w", err)
			}
			return table.Print(out.Stderr, "wrote %s", file)
		},
	}
}

func pageName(root *cobra.Command) string { return "kubecrate-" + root.Name() }

// roff builds a man page with the macros of man(7).
type roff struct{ bytes.Buffer }

// page returns the man page of a program. date is that of the program's build.
func page(root *cobra.Command, m Manual, date string) []byte {
	r := &roff{}
	name := pageName(root)
	r.printf(".TH %s 1 %s \"kubecrate %s\"\n", strings.ToUpper(name), strconv.Quote(date), escaped(version.String()))
	r.printf(".SH NAME\n%s \\- %s\n", escaped(name), escaped(strings.ToLower(root.Short[:1])+root.Short[1:]))
	r.printf(".SH SYNOPSIS\n.B %s\n.RI [ COMMAND ]\n.RI [ FLAGS ]\n", escaped(root.CommandPath()))
	r.section("DESCRIPTION")
	r.text(root.Long)
	r.section("OPTIONS")
	r.flags(root.NonInheritedFlags())
	r.section("COMMANDS")
	eachCommand(root, func(c *cobra.Command) {
		if c == root || !c.Runnable() || c.Hidden || c.Name() == "help" {
			return
		}
		r.printf(".SS %s\n", escaped(c.UseLine()))
		r.text(c.Short + ".")
		if c.Long != "" {
			r.WriteString(".PP\n")
			r.text(c.Long)
		}
		r.flags(c.NonInheritedFlags())
		r.example(c.Example)
	})
	for _, s := range []struct {
		title string
		rows  [][2]string
	}{{"EXIT STATUS", m.ExitStatus}, {"FILES", m.Files}, {"ENVIRONMENT", m.Environment}} {
		if len(s.rows) > 0 {
			r.section(s.title)
			for _, row := range s.rows {
				r.item(row[0], row[1])
			}
		}
	}
	r.section("EXAMPLES")
	r.example(root.Example)
	return r.Bytes()
}

func (r *roff) printf(format string, args ...any) { r.WriteString(fmt.Sprintf(format, args...)) }

func (r *roff) section(title string) { r.printf(".SH %s\n", title) }

// text adds prose: an empty line starts a paragraph.
func (r *roff) text(s string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			r.WriteString(".PP\n")
		}
		for line := range strings.Lines(paragraph) {
			r.WriteString(escaped(strings.TrimSpace(line)) + "\n")
		}
	}
}

func (r *roff) item(name, text string) {
	r.printf(".TP\n.B %s\n", escaped(name))
	r.text(text)
}

func (r *roff) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		r.item(name, usage)
	})
}

// example adds lines without filling them.
func (r *roff) example(s string) {
	if s == "" {
		return
	}
	r.WriteString(".PP\n.nf\n")
	for line := range strings.Lines(strings.TrimRight(s, "\n")) {
		r.WriteString(escaped(strings.TrimRight(line, "\n")) + "\n")
	}
	r.WriteString(".fi\n")
}

// escaped escapes s for roff: hyphens stay copyable, and no line starts with a
// request.
func escaped(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\t", "    ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
