package install

import (
	"os"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/step"
)

// TestTable: a step stands in the table once, and those that an old journal
// implies are in it.
func TestTable(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("node1", "192.168.4.21")
	seen := map[string]bool{}
	for _, k := range (Tables{}).kinds(nil) {
		if k.Name == "" || seen[k.Name] {
			t.Errorf("%q stands in the table more than once", k.Name)
		}
		seen[k.Name] = true
	}
	for _, runtime := range []string{manifest.RuntimeDocker, manifest.RuntimeContainerd} {
		for _, b := range impliedBegins(x.h, &target.State{Runtime: runtime, Family: "el7"}) {
			if !seen[b.Step] {
				t.Errorf("%q of an old journal is in no table", b.Step)
			}
		}
	}
}

// TestNewerJournal: what a newer program did to a host is named by a reset and by
// its plan, and nothing is undone without it.
func TestNewerJournal(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("one", "192.168.4.31")
	x.stay(manifest.Single)
	path := x.h.Path(step.Dir + "/journal.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"begin":"teleport","params":{"to":"x"}}`+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	before := x.state()
	_, err = Reset(t.Context(), x.h, x.resetRequest(false))
	_, perr := PlanReset(x.h, x.resetRequest(false))
	for _, err := range []error{err, perr} {
		if err == nil || !strings.Contains(err.Error(), "step teleport") || !strings.Contains(hint.Of(err), "last installed this host") {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	}
	if after := x.state(); after != before {
		t.Errorf("something was undone:\n%s", difference(before, after))
	}
}
