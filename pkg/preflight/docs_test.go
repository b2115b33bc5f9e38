package preflight_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"kubecrate/pkg/preflight"
)

// TestChecksAreDocumented: docs/PREFLIGHT.md has every check in its order, and
// says which of them can be skipped.
func TestChecksAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/PREFLIGHT.md")
	if err != nil {
		t.Fatal(err)
	}
	var names, skippable []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z]+) \| .* \| (yes|no)[^|]*\|$`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
		if m[2] == "yes" {
			skippable = append(skippable, m[1])
		}
	}
	if !slices.Equal(names, preflight.Names()) || !slices.Equal(skippable, preflight.Skippable()) {
		t.Errorf("documented %v\nchecks     %v\nskippable, documented %v\nskippable             %v", names, preflight.Names(), skippable, preflight.Skippable())
	}
}
