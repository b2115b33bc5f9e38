package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/suggest"
	"kubecrate/pkg/table"
	"kubecrate/pkg/version"
)

// typos is the edit distance up to which a word is suggested.
const typos = 2

// flagError explains an invalid flag: a similar one, or where it belongs.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &UsageError{err}
	}
	name := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		if name == "o" && cmd.Flag("output") != nil {
			err = hint.With(err, "%s", typed(cmd, "--output", "json")+" selects the output format; -o is the output path of commands that write files")
		}
		return &UsageError{err}
	}
	near, least := "", typos+1
	look := func(f *pflag.Flag) {
		d := suggest.Distance(name, f.Name)
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

// typed returns cmd with more words, as the user types it.
func typed(cmd *cobra.Command, more ...string) string {
	words := strings.Fields(cmd.CommandPath())
	if words[0] == "install" { // the bare name is coreutils' install on every host
		words[0] = "./install"
	}
	return hint.Command(append(words, more...)...)
}

// argumentError says which argument is missing or extra. err is the error of cobra's
// check, which only has numbers.
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
		return &UsageError{fmt.Errorf("unexpected argument %q: want %s", args[len(form)], want)}
	}
	return &UsageError{err}
}

// checkFor is check with a hint for an --output that looks like a path.
func (o *Out) checkFor(cmd *cobra.Command) error {
	err := o.check()
	if out := cmd.Flag("out"); err != nil && out != nil && strings.ContainsAny(o.format, `/\.`) {
		return hint.With(err, "to write to that path: %s", typed(cmd, "-o", o.format))
	}
	return err
}

// VersionCmd returns the command that prints the version of root's program, as
// --version does.
func VersionCmd(root *cobra.Command, out *Out) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  " + typed(root, "version"),
		RunE:    func(*cobra.Command, []string) error { return out.version(root.Name()) },
	}
	return c
}

func (o *Out) version(program string) error {
	o.kind = "version" // also for --version
	return o.Print(map[string]string{"program": program, "version": version.String()}, func(w io.Writer) error {
		return table.Print(w, "%s version %s", program, version.String())
	})
}

// versionFlag makes --version of root work like the command version; cobra's own does
// not support JSON.
func versionFlag(root *cobra.Command, out *Out) {
	if root.Version == "" {
		return
	}
	root.Version = ""
	var wanted bool
	root.Flags().BoolVar(&wanted, "version", false, "print the version")
	run := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if wanted {
			return out.version(root.Name())
		}
		return run(c, args)
	}
}
