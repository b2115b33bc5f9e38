package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/visible"
)

// Out is where a command prints: results to Stdout as text or JSON, progress and
// errors to Stderr. NewOut returns one.
type Out struct {
	// These make control characters visible: see visible.Writer.
	Stdout, Stderr *visible.Writer

	results  io.Writer // what Stdout writes to; the help uses its width
	terminal io.Writer // where bars move the cursor: what Stderr writes to
	format   string
	progress string
	verbose  bool
	kind     string // of results: the command's name
	unshown  error  // why the help could not be printed; cobra's help function returns no error
}

// NewOut returns an Out for a program's two streams. Nothing else writes to them.
func NewOut(stdout, stderr io.Writer) Out {
	return Out{Stdout: visible.NewWriter(stdout), Stderr: visible.NewWriter(stderr), results: stdout, terminal: stderr}
}

// flush flushes both streams.
func (o *Out) flush() {
	// An error of a closed stream cannot be reported.
	_, _ = o.Stdout.Flush(), o.Stderr.Flush()
}

// JSON reports whether results are printed as JSON.
func (o *Out) JSON() bool { return o.format == "json" }

// WantJSON selects JSON, like --output json.
func (o *Out) WantJSON() { o.format = "json" }

// Print writes v as one line of JSON with --output json, else text. The line is an
// object with kind and time as described in docs/JSON.md.
func (o *Out) Print(v any, text func(io.Writer) error) error {
	if !o.JSON() {
		return text(o.Stdout)
	}
	line, err := result(o.kind, time.Now(), v)
	if err == nil {
		_, err = o.Stdout.Write(line)
	}
	if err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}

// Progress starts the renderer that --progress and --output select. The caller closes
// it before printing its result.
func (o *Out) Progress() progress.Renderer {
	if o.JSON() && o.progress != "none" {
		return progress.NewJSON(o.Stdout, o.verbose)
	}
	mode := o.progress
	if mode == "bar" && dumb() {
		mode = "plain"
	}
	if mode == "auto" {
		mode = "plain"
		if f, ok := o.terminal.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !dumb() {
			mode = "bar"
		}
	}
	switch mode {
	case "bar":
		return progress.NewBars(o.terminal, o.verbose)
	case "none":
		return progress.NewQuiet(o.Stderr)
	}
	return progress.NewPlain(o.Stderr, o.verbose)
}

// dumb reports whether the terminal cannot move its cursor.
func dumb() bool { return os.Getenv("TERM") == "dumb" }

// Flags adds the flags common to all commands of both programs.
func (o *Out) Flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&o.format, "output", "text", "output format: text or json (one event a line on standard output)")
	f.StringVar(&o.progress, "progress", "auto", "progress on standard error: auto, bar, plain or none")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "verbose output: also show executed commands or requested URLs")
	complete := func(values ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	must(root.RegisterFlagCompletionFunc("output", complete("text", "json")))
	must(root.RegisterFlagCompletionFunc("progress", complete("auto", "bar", "plain", "none")))
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
