package progress

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestKindsAreDocumented: docs/JSON.md has every kind of event.
func TestKindsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/JSON.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range []string{"progress.go", "json.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Kind = "([a-z]+)"`).FindAllStringSubmatch(string(source), -1) {
			found++
			if !strings.Contains(string(doc), "\n| `"+m[1]+"` |") {
				t.Errorf("docs/JSON.md does not have %s", m[1])
			}
		}
	}
	const least = 11
	if found < least {
		t.Errorf("found %d kinds", found)
	}
}
