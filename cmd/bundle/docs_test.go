package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestResultsAreDocumented: docs/JSON.md has what every command prints.
func TestResultsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range newApp(io.Discard, io.Discard).root().Commands() {
		names := []string{c.Name()}
		for _, sub := range c.Commands() {
			names = []string{c.Name() + "-" + sub.Name()}
		}
		for _, name := range names {
			printed := !slices.Contains([]string{"man", "help", "completion", "schema"}, name) && !strings.HasPrefix(name, "completion-")
			if printed && !strings.Contains(string(doc), "\n| `"+name+"` | bundle |") && !strings.Contains(string(doc), "\n| `"+name+"` | both |") {
				t.Errorf("docs/JSON.md does not have %s", name)
			}
		}
	}
}
