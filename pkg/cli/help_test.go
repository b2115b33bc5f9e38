package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp: nothing is wider than the terminal, flags are in their groups, and a
// command lists no flag that it does not use.
func TestHelp(t *testing.T) {
	t.Parallel()
	var o, e bytes.Buffer
	out := NewOut(&o, &e)
	root := &cobra.Command{Use: "p", Short: "Do", Long: strings.Repeat("long ", 40)}
	out.Flags(root)
	root.PersistentFlags().String("archive", "", "archive to use")
	verb := &cobra.Command{Use: "do", Short: strings.Repeat("short ", 30), RunE: func(*cobra.Command, []string) error { return nil }}
	verb.Flags().String("role", "", strings.Repeat("usage ", 30))
	verb.Flags().String("wait", "", "how long")
	Group(verb, "Waiting", "wait")
	Without(verb, "archive")
	root.AddCommand(verb)
	for _, args := range [][]string{{"--help"}, {"do", "--help"}} {
		if code := Run(root, &out, args); code != ExitDone {
			t.Fatalf("%v: %d", args, code)
		}
	}
	const width = 80
	for line := range strings.Lines(o.String()) {
		if len(strings.TrimRight(line, "\n")) > width {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	_, of, _ := strings.Cut(o.String(), "  p do [flags]")
	flags, waiting, ok := strings.Cut(of, "\nWaiting:\n")
	if !ok || !strings.Contains(flags, "--role") || !strings.Contains(waiting, "--wait") || strings.Contains(of, "--archive") || !strings.Contains(of, "--output") {
		t.Errorf("got\n%s", of)
	}
}

func TestReflow(t *testing.T) {
	t.Parallel()
	const text = "one two\nthree\nfour\n\n  as it\n  is there\n\nlast"
	if got, want := reflow(text, 9), "one two\nthree\nfour\n\n  as it\n  is there\n\nlast"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := reflow(text, 14), "one two three\nfour\n\n  as it\n  is there\n\nlast"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"short\nlines":       "short\nlines",
		"one two three four": "one two\n  three\n  four",
		"aaaaaaaaaaaaaaa b":  "aaaaaaaaaaaaaaa b",
		"":                   "",
	} {
		if got := wrap(in, 8, 2); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
