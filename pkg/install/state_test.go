package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/step"
)

// TestStateLost: a host whose state is damaged or gone is not taken for one on
// which only images were loaded; the advice that comes with it leads on.
func TestStateLost(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	one := l.host("one", "192.168.4.31")
	before := one.state()
	one.stay(manifest.Single)
	installed := one.state()
	file := one.h.Path(stateFile)
	refused := func(want string) {
		t.Helper()
		_, planErr := PlanReset(one.h, one.resetRequest(false))
		_, err := Reset(t.Context(), one.h, one.resetRequest(false))
		for _, err := range []error{planErr, err} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(hint.Of(err), "./install --role") {
				t.Errorf("%v, hint %q; want %s", err, hint.Of(err), want)
			}
		}
		if after := one.state(); after != installed {
			t.Errorf("it was changed:\n%s", difference(installed, after))
		}
	}
	for _, text := range []string{"", "{}", "null", `{"role": "single"`, `{"role": "boss", "cluster": {}}`} {
		write(t, file, text)
		refused("install.json is damaged")
	}
	if err := os.Rename(file, file+".damaged"); err != nil {
		t.Fatal(err)
	}
	refused("install.json is missing, but more was changed")
	if r, err := one.run(manifest.Single); err != nil || r.Node != "one" {
		t.Fatalf("the same command again: %+v, %v", r, err)
	}
	one.leave(before)
}

func TestStateLast(t *testing.T) {
	t.Parallel()
	var files []string
	for _, name := range []string{"bundle.lock", "install.json", "journal.jsonl", "kubeadm.json"} {
		files = append(files, step.Dir+"/"+name)
	}
	var got []string
	for _, file := range stateLast(files) {
		got = append(got, filepath.Base(file))
	}
	if got := strings.Join(got, " "); got != "bundle.lock journal.jsonl kubeadm.json install.json" {
		t.Error(got)
	}
	if got := stateLast([]string{"journal.jsonl"}); len(got) != 1 {
		t.Error(got)
	}
}
