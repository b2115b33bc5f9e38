package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestResultsAreDocumented: docs/JSON.md documents the output of every command.
func TestResultsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range newApp(io.Discard, io.Discard).root().Commands() {
		if name := c.Name(); name != "man" && name != "help" && !strings.Contains(string(doc), "\n| `"+name+"` | install |") && !strings.Contains(string(doc), "\n| `"+name+"` | both |") {
			t.Errorf("docs/JSON.md does not have %s", name)
		}
	}
}
