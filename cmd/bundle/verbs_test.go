package main

import (
	"io"
	"testing"

	"kubecrate/pkg/cli/clitest"
)

// TestVerbs: one file a verb, and root.go only puts them together.
func TestVerbs(t *testing.T) {
	t.Parallel()
	clitest.CheckVerbs(t, newApp(io.Discard, io.Discard).root(), ".")
}
