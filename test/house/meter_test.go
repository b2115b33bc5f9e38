package house

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// TestMeter prints the numbers by which the house is compared with what it was:
//
//	go test ./test/house -run TestMeter -v
//	KUBECRATE_HOUSE=/path/to/another/checkout go test ./test/house -run TestMeter -v
func TestMeter(t *testing.T) {
	t.Parallel()
	h := open(t)
	if root := os.Getenv(dirVariable); root != "" {
		var err error
		if h, err = read(root); err != nil {
			t.Fatal(err)
		}
	}
	name, n := most(h.methods())
	t.Logf("most methods on a type         %5d  %s", n, name)
	t.Logf("types over %d methods          %5d", mostMethods, over(h.methods(), mostMethods))
	name, n = most(h.files())
	t.Logf("most files in a package        %5d  %s", n, name)
	t.Logf("packages over %d files         %5d", mostFiles, over(h.files(), mostFiles))
	for _, k := range knowledges() {
		places, files := h.places(k)
		sum := 0
		for _, n := range places {
			sum += n
		}
		t.Logf("%-35s outside %s: %d places in %d files of %d packages", k.what, k.owner, sum, files, len(places))
	}
	calls, renames := h.writers()
	t.Logf("packages that make files       %5d", len(calls))
	t.Logf("functions that rename          %5d  %v", len(renames), renames)
	dead := h.unreachable()
	t.Logf("functions no program calls     %5d  %v", len(dead), dead)
	shared := 0
	for _, by := range h.modules() {
		if len(by) > 1 {
			shared++
		}
	}
	t.Logf("modules with several importers %5d", shared)
	name, n = most(h.functionLines())
	t.Logf("longest function               %5d  %s", n, name)
	name, n = most(h.fileLines())
	t.Logf("longest file                   %5d  %s", n, name)
	lines, files := 0, 0
	for _, n := range h.fileLines() {
		lines += n
		files++
	}
	t.Logf("lines                          %5d  in %d files of %d packages, without tests", lines, files, len(h.packages))
}

func most(found map[string]int) (name string, n int) {
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if found[key] > n {
			name, n = key, found[key]
		}
	}
	return name, n
}

func over(found map[string]int, limit int) (n int) {
	for _, f := range found {
		if f > limit {
			n++
		}
	}
	return n
}
