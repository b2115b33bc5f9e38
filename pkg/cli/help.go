package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// group is the annotation of a flag with its group in the help.
const group = "kubecrate_group"

// Group lists flags of c under a separate title in its help.
func Group(c *cobra.Command, title string, names ...string) {
	for _, n := range names {
		must(c.Flags().SetAnnotation(n, group, []string{title}))
	}
}

// columns returns the width of the terminal that results are printed to, 80 without one.
func (o *Out) columns() int {
	const usual, least = 80, 40
	if f, ok := o.results.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return max(width, least)
		}
	}
	return usual
}

// help makes root and its commands print their help wrapped to the terminal's width,
// with flags in groups.
func help(root *cobra.Command, out *Out) {
	root.SetUsageFunc(func(c *cobra.Command) error { return writeUsage(c.OutOrStdout(), c, out.columns()) })
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n\n", reflow(text, out.columns()))
		if err == nil {
			err = writeUsage(c.OutOrStdout(), c, out.columns())
		}
		// A closed pipe is not an error.
		if err != nil && !errors.Is(err, syscall.EPIPE) {
			out.unshown = fmt.Errorf("cannot print the help: %w", err)
		}
	})
}

func writeUsage(w io.Writer, c *cobra.Command, width int) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				const indent, names = 2, 12
				fmt.Fprintf(&b, "  %-*s %s\n", names, sub.Name(), wrap(sub.Short, width-indent-names-1, indent+names+1))
			}
		}
	}
	for _, g := range groups(c.LocalFlags()) {
		fmt.Fprintf(&b, "\n%s:\n%s", g.title, g.flags.FlagUsagesWrapped(width))
	}
	if set := inherited(c); set.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nGlobal flags:\n%s", set.FlagUsagesWrapped(width))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nFor more about a command: %s COMMAND --help\n", c.CommandPath())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// without is the annotation of a command with the inherited flags that it does not
// use.
const without = "kubecrate_without"

// Without omits inherited flags that c does not use from its help.
func Without(c *cobra.Command, names ...string) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[without] = strings.Join(names, ",")
}

// inherited returns the inherited flags that c uses.
func inherited(c *cobra.Command) *pflag.FlagSet {
	unused := strings.Split(c.Annotations[without], ",")
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(unused, f.Name) {
			set.AddFlag(f)
		}
	})
	return set
}

type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

// groups returns the flags by group, those without a group first.
func groups(set *pflag.FlagSet) []flagGroup {
	list := []flagGroup{{"Flags", pflag.NewFlagSet("", pflag.ContinueOnError)}}
	set.VisitAll(func(f *pflag.Flag) {
		title := list[0].title
		if t := f.Annotations[group]; len(t) > 0 {
			title = t[0]
		}
		i := slices.IndexFunc(list, func(g flagGroup) bool { return g.title == title })
		if i < 0 {
			i = len(list)
			list = append(list, flagGroup{title, pflag.NewFlagSet("", pflag.ContinueOnError)})
		}
		list[i].flags.AddFlag(f)
	})
	return slices.DeleteFunc(list, func(g flagGroup) bool { return !g.flags.HasAvailableFlags() })
}

// reflow wraps the paragraphs of a text, except those with indented lines.
func reflow(text string, width int) string {
	list := strings.Split(text, "\n\n")
	for i, p := range list {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			list[i] = wrap(strings.Join(strings.Fields(p), " "), width, 0)
		}
	}
	return strings.Join(list, "\n\n")
}

// wrap breaks lines longer than width between words; continuation lines are indented.
func wrap(text string, width, indent int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		more := ""
		for utf8.RuneCountInString(line) > width {
			at := strings.LastIndexByte(line[:min(width+1, len(line))], ' ')
			if at <= 0 {
				break
			}
			out = append(out, more+line[:at])
			line, more = strings.TrimLeft(line[at:], " "), strings.Repeat(" ", indent)
		}
		out = append(out, more+line)
	}
	return strings.Join(out, "\n")
}
