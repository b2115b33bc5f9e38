package cli

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// broken is a stream that takes nothing.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// TestNothingIsLostOnAFullDisk: help that could not be printed is no success, and
// an error that cannot be printed as JSON is printed for people.
func TestNothingIsLostOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		err  error
		code int
		says string
	}{
		{[]string{"--help"}, syscall.ENOSPC, ExitFailed, "cannot print the help"},
		{[]string{"do", "--help"}, syscall.ENOSPC, ExitFailed, "cannot print the help"},
		{[]string{"--help"}, syscall.EPIPE, ExitDone, ""},
		{[]string{"do", "--output", "json"}, syscall.ENOSPC, ExitFailed, "error: the cause"},
	} {
		var stderr bytes.Buffer
		out := NewOut(broken{c.err}, &stderr)
		root := &cobra.Command{Use: "p"}
		out.Flags(root)
		root.AddCommand(&cobra.Command{Use: "do", RunE: func(*cobra.Command, []string) error { return errors.New("the cause") }})
		code := Run(root, &out, c.args)
		if code != c.code || !strings.Contains(stderr.String(), c.says) || c.says == "" && stderr.Len() > 0 {
			t.Errorf("%v on %v: code %d, %q", c.args, c.err, code, stderr.String())
		}
	}
}

func TestMissingArgumentHasAName(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	out := NewOut(&stdout, &stderr)
	root := &cobra.Command{Use: "p"}
	out.Flags(root)
	root.AddCommand(&cobra.Command{Use: "take MEMBER...", Args: cobra.MinimumNArgs(1), RunE: func(*cobra.Command, []string) error { return nil }})
	if code := Run(root, &out, []string{"take"}); code != ExitUsage || !strings.Contains(stderr.String(), "MEMBER... is missing: want p take MEMBER...") {
		t.Errorf("code %d, %q", code, stderr.String())
	}
}
