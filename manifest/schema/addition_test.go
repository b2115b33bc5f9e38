package schema

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
)

// TestAddition: the schema offers every name that a manifest may use.
func TestAddition(t *testing.T) {
	t.Parallel()
	known := manifest.Vocabulary()
	got, err := generate(manifest.Words{
		Families: append(slices.Clone(known["platform.family"]), "madeos"),
		Runtimes: append(slices.Clone(known["runtime"]), "madert"),
		Networks: append(slices.Clone(known["network"]), "madenet"),
	})
	if err != nil {
		t.Fatal(err)
	}
	// A network is named twice: for the bundle, and for a file of one network.
	for word, want := range map[string]int{"madeos": 1, "madert": 1, "madenet": 2, "flannel": 2} {
		if n := strings.Count(string(got), `"`+word+`"`); n != want {
			t.Errorf("%s is %d times in the schema, want %d", word, n, want)
		}
	}
}
