// Package cli is the command-line code that both programs share: the flags for output
// and progress, signals, exit codes, and the printing of errors and hints.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/suggest"
	"kubecrate/pkg/visible"
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

// UsageError is an invalid command line: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// ExitCoder is implemented by errors that choose the exit code, such as a
// damaged archive (4).
type ExitCoder interface{ ExitCode() int }

// must is for calls that fail only because of a bug in the program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Run executes root with args and returns the exit code. SIGINT and SIGTERM
// cancel the command's context; a second one terminates the program at once.
func Run(root *cobra.Command, out *Out, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer out.flush()
	context.AfterFunc(ctx, stop)

	prepare(root, out)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.unshown
	}
	if err == nil {
		return ExitDone
	}
	code := exitCode(ctx, err)
	report(out, cmd, err, code)
	return code
}

func prepare(root *cobra.Command, out *Out) {
	root.SilenceErrors, root.SilenceUsage, root.SuggestionsMinimumDistance = true, true, typos
	root.SetOut(out.Stdout)
	root.SetErr(out.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		out.kind = kindOf(cmd)
		return out.checkFor(cmd)
	}
	if root.RunE == nil {
		// Without a Run cobra prints the help text for any arguments.
		root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	eachCommand(root, func(c *cobra.Command) {
		check := c.Args
		if check == nil {
			check = legacyArgs
		}
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return argumentError(cmd, args, err)
			}
			return nil
		}
	})
	versionFlag(root, out)
	help(root, out)
}

// legacyArgs rejects arguments to a command that takes none or only subcommands.
func legacyArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	isArchive := cmd.Flag("archive") != nil && strings.Contains(args[0], ".tar.zst")
	if !cmd.HasSubCommands() || isArchive {
		err := fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
		if isArchive {
			return hint.With(err, "%s", typed(cmd, "--archive", args[0]))
		}
		return err
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(", did you mean %q?", near[0])
	} else if alone := typed(cmd); cmd.Runnable() && suggest.Distance(args[0], path.Base(alone)) < typos { // uninstall is two away
		text += fmt.Sprintf(", did you mean %s alone?", alone)
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

// resumes is the annotation of a command that can resume after an interrupt: what its
// next run does.
const resumes = "kubecrate_resumes"

// Resumes sets what the next run of c does after an interrupt, as the end of "run the
// same command again to ...". Other commands start over.
func Resumes(c *cobra.Command, what string) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[resumes] = what
}

// AfterInterrupt returns the hint after an interrupt of c.
func AfterInterrupt(c *cobra.Command) string {
	what := c.Annotations[resumes]
	if what == "" {
		what = "start over"
	}
	return "run the same command again to " + what
}

func report(out *Out, cmd *cobra.Command, err error, code int) {
	text, advice := visible.Error(err), hint.Of(err)
	switch code {
	case ExitInterrupted:
		text, advice = []string{"interrupted"}, AfterInterrupt(cmd)
	case ExitUsage:
		if advice == "" {
			advice = typed(cmd, "--help")
		}
	}
	if out.JSON() {
		failed := jsonError{Kind: "error", Time: stamp(time.Now()), Text: strings.Join(text, "\n"), Hint: advice, Code: code}
		if json.NewEncoder(out.Stdout).Encode(failed) == nil {
			return
		}
		// Writing standard output failed; standard error may still work.
	}
	_, _ = fmt.Fprintf(out.Stderr, "error: %s\n", strings.Join(text, "\n"))
	if advice != "" {
		_, _ = fmt.Fprintf(out.Stderr, "hint: %s\n", visible.Line(advice))
	}
}
