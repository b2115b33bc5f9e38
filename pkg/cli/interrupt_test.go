package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestInterrupted: the hint after Ctrl-C says what the same command does then.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ resumes, want string }{
		{"", "hint: run the same command again to start over\n"},
		{"continue where it stopped", "hint: run the same command again to continue where it stopped\n"},
	} {
		var stderr strings.Builder
		out := NewOut(&strings.Builder{}, &stderr)
		cmd := &cobra.Command{Use: "work"}
		if c.resumes != "" {
			Resumes(cmd, c.resumes)
		}
		report(&out, cmd, errors.New("context canceled"), ExitInterrupted)
		out.flush()
		if want := "error: interrupted\n" + c.want; stderr.String() != want {
			t.Errorf("%q, want %q", stderr.String(), want)
		}
	}
}
