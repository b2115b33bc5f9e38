package main

import (
	"io"
	"testing"

	"kubecrate/pkg/cli/clitest"
)

// TestVerbs: one file per verb; root.go only assembles them.
func TestVerbs(t *testing.T) {
	t.Parallel()
	clitest.CheckVerbs(t, newApp(io.Discard, io.Discard).root(), ".")
}
