package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kubecrate/pkg/cli"
	"kubecrate/pkg/host"
	"kubecrate/pkg/progress"
)

// TestVerbose: -v prints the commands that are run, ready to paste.
func TestVerbose(t *testing.T) {
	t.Parallel()
	for _, verbose := range []bool{false, true} {
		var stdout, stderr strings.Builder
		a := newApp(&stdout, &stderr)
		root := a.root()
		root.AddCommand(&cobra.Command{Use: "try", RunE: func(cmd *cobra.Command, _ []string) error {
			return a.show(func(report progress.Func) error {
				_, err := local(report).Run(cmd.Context(), host.Command("true", "a b"))
				return err
			})
		}})
		args := []string{"try"}
		if verbose {
			args = append(args, "-v")
		}
		if code := cli.Run(root, &a.out, args); code != cli.ExitDone || strings.Contains(stderr.String(), "true 'a b'\n") != verbose {
			t.Errorf("-v is %v: %d, %q", verbose, code, stderr.String())
		}
	}
}

// TestAfterInterrupt: only verbs that continue where they stopped say so.
func TestAfterInterrupt(t *testing.T) {
	t.Parallel()
	a := newApp(&strings.Builder{}, &strings.Builder{})
	root := a.root()
	resumes := map[string]bool{"run": true, "load": true, "reset": true}
	for _, c := range append(root.Commands(), root) {
		want := "run the same command again to start over"
		if resumes[c.Name()] || c == root {
			want = "run the same command again to continue where it stopped"
		}
		if got := cli.AfterInterrupt(c); got != want {
			t.Errorf("%s: %q, want %q", c.Name(), got, want)
		}
	}
}
