package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/spelling"
	"kubecrate/pkg/version"
)

// typos is how many letters may be wrong in a word that is still guessed.
const typos = 2

// flagError explains a wrong flag: what is near it, or where it belongs.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &UsageError{err}
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		if name == "o" && cmd.Flag("output") != nil {
			err = hint.With(err, "%s", typed(cmd, "--output", "json")+" says how results are printed; -o names where to write, in commands that write something")
		}
		return &UsageError{err}
	}
	near, least := "", typos+1
	look := func(f *pflag.Flag) {
		d := spelling.Distance(name, f.Name)
		if len(name) > 2 && strings.HasPrefix(f.Name, name) {
			d = 1
		}
		if d < least && !f.Hidden {
			near, least = f.Name, d
		}
	}
	cmd.Flags().VisitAll(look)
	cmd.InheritedFlags().VisitAll(look)
	if near != "" {
		err = fmt.Errorf("%w, did you mean --%s?", err, near)
	}
	return &UsageError{err}
}

// typed is cmd with more words, as it is typed.
func typed(cmd *cobra.Command, more ...string) string {
	words := strings.Fields(cmd.CommandPath())
	if words[0] == "install" { // by itself that is another program on every host
		words[0] = "./install"
	}
	return hint.Command(append(words, more...)...)
}

// argumentError says which argument is missing or too many. err is what a check
// of cobra says, in numbers.
func argumentError(cmd *cobra.Command, args []string, err error) error {
	if text := err.Error(); !strings.HasPrefix(text, "accepts ") && !strings.HasPrefix(text, "requires at least ") {
		return &UsageError{err}
	}
	form := strings.Fields(cmd.Use)[1:]
	needed := 0
	for _, w := range form {
		if !strings.HasPrefix(w, "[") {
			needed++
		}
	}
	want := hint.Command(strings.Fields(cmd.CommandPath())...) + " " + strings.Join(form, " ")
	switch {
	case len(args) < needed:
		return &UsageError{fmt.Errorf("%s is missing: want %s", strings.Join(form[len(args):needed], " and "), want)}
	case len(args) > len(form):
		return &UsageError{fmt.Errorf("%q is one argument too many: want %s", args[len(form)], want)}
	}
	return &UsageError{err}
}

// checkFor is check, with what a wrong --output is likely meant to be.
func (o *Out) checkFor(cmd *cobra.Command) error {
	err := o.check()
	if out := cmd.Flag("out"); err != nil && out != nil && strings.ContainsAny(o.format, `/\.`) {
		return hint.With(err, "%s writes there", typed(cmd, "-o", o.format))
	}
	return err
}

// VersionCmd prints the version of root's program, as --version does.
func VersionCmd(root *cobra.Command, out *Out) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  " + typed(root, "version"),
		RunE:    func(*cobra.Command, []string) error { return out.version(root.Name()) },
	}
	return c
}

func (o *Out) version(program string) error {
	o.kind = "version" // of --version, too
	return o.Print(map[string]string{"program": program, "version": version.String()}, func(w io.Writer) error {
		return lines.Print(w, "%s version %s", program, version.String())
	})
}

// versionFlag makes --version of root do as the command version does; cobra's own
// knows no JSON.
func versionFlag(root *cobra.Command, out *Out) {
	if root.Version == "" {
		return
	}
	root.Version = ""
	var wanted bool
	root.Flags().BoolVar(&wanted, "version", false, "print the version of this program")
	run := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if wanted {
			return out.version(root.Name())
		}
		return run(c, args)
	}
}
