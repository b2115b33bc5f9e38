// Package cli is what both programs share at their edge: the flags for output
// and progress, signals, exit codes, and how an error and its hint are printed.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
)

// The exit codes of both programs.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitPreflight   = 3
	ExitCorrupt     = 4
	ExitInterrupted = 5
)

// UsageError is a wrong command line: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// ExitCoder is implemented by errors that choose the exit code, such as a
// damaged archive (4).
type ExitCoder interface{ ExitCode() int }

// Out is where a command prints: results to Stdout as text or JSON, progress
// and errors to Stderr.
type Out struct {
	Stdout, Stderr io.Writer
	format         string
	progress       string
	verbose        bool
}

// JSON says whether results are wanted as JSON.
func (o *Out) JSON() bool { return o.format == "json" }

// WantJSON asks for JSON as --output json does.
func (o *Out) WantJSON() { o.format = "json" }

// Verbose says whether -v was given.
func (o *Out) Verbose() bool { return o.verbose }

// Print writes v as one JSON document with --output json, else text.
func (o *Out) Print(v any, text func(io.Writer) error) error {
	if !o.JSON() {
		return text(o.Stdout)
	}
	enc := json.NewEncoder(o.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// Progress starts the rendering that --progress and --output ask for. The
// caller closes it before it prints its result.
func (o *Out) Progress() progress.Renderer {
	if o.JSON() && o.progress != "none" {
		return progress.NewJSON(o.Stdout)
	}
	mode := o.progress
	if mode == "auto" {
		mode = "plain"
		if f, ok := o.Stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			mode = "bar"
		}
	}
	switch mode {
	case "bar":
		return progress.NewBars(o.Stderr)
	case "none":
		return progress.NewQuiet(o.Stderr)
	}
	return progress.NewPlain(o.Stderr, o.verbose)
}

// Flags adds the flags that every command of both programs has.
func (o *Out) Flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&o.format, "output", "text", "how results are printed: text or json (one event a line on standard output)")
	f.StringVar(&o.progress, "progress", "auto", "how progress is shown on standard error: auto, bar, plain or none")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say more")
	complete := func(values ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	must(root.RegisterFlagCompletionFunc("output", complete("text", "json")))
	must(root.RegisterFlagCompletionFunc("progress", complete("auto", "bar", "plain", "none")))
}

// must holds for calls that fail only when the program itself is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (o *Out) check() error {
	if err := oneOf("--output", o.format, "text", "json"); err != nil {
		return err
	}
	return oneOf("--progress", o.progress, "auto", "bar", "plain", "none")
}

func oneOf(flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return Usagef("%s is %q, want one of %s", flag, value, strings.Join(allowed, ", "))
}

// Run executes root with args and returns the exit code. SIGINT and SIGTERM
// cancel the command's context; a second one ends the program at once.
func Run(root *cobra.Command, out *Out, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	prepare(root, out)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	code := exitCode(ctx, err)
	report(out, cmd, err, code)
	return code
}

func prepare(root *cobra.Command, out *Out) {
	const typos = 2 // letters wrong in a command that is still guessed
	root.SilenceErrors, root.SilenceUsage, root.SuggestionsMinimumDistance = true, true, typos
	root.SetOut(out.Stdout)
	root.SetErr(out.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{err} })
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return out.check() }
	if root.RunE == nil {
		// Without a Run of its own cobra answers anything with the help text.
		root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	eachCommand(root, func(c *cobra.Command) {
		check := c.Args
		if check == nil {
			check = legacyArgs
		}
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &UsageError{err}
			}
			return nil
		}
	})
}

// legacyArgs refuses arguments to a command that takes none or only verbs.
func legacyArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(", did you mean %q?", near[0])
	}
	return errors.New(text)
}

func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, f)
	}
}

func exitCode(ctx context.Context, err error) int {
	var coder ExitCoder
	var usage *UsageError
	switch {
	case errors.As(err, &usage):
		return ExitUsage
	case ctx.Err() != nil:
		return ExitInterrupted
	case errors.As(err, &coder):
		return coder.ExitCode()
	}
	return ExitFailed
}

func report(out *Out, cmd *cobra.Command, err error, code int) {
	text, advice := err.Error(), hint.Of(err)
	switch code {
	case ExitInterrupted:
		text, advice = "interrupted", "run the same command again to go on where it stopped"
	case ExitUsage:
		if advice == "" {
			advice = cmd.CommandPath() + " --help"
		}
	}
	if out.JSON() {
		// The write itself cannot be reported anywhere else.
		_ = json.NewEncoder(out.Stdout).Encode(map[string]any{"kind": "error", "text": text, "hint": advice, "code": code})
		return
	}
	_, _ = fmt.Fprintf(out.Stderr, "error: %s\n", text)
	if advice != "" {
		_, _ = fmt.Fprintf(out.Stderr, "hint: %s\n", advice)
	}
}
