package bundle

import (
	"context"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/progress"
)

// TestAlwaysPulled: an image that is carried and pulled in spite of it is told,
// with its line; one that is not carried is another warning's matter.
func TestAlwaysPulled(t *testing.T) {
	t.Parallel()
	const text = "kind: Pod\nspec:\n  containers:\n  - {image: \"a/b:1\", imagePullPolicy: Always}\n  - {image: \"c/d:1\", imagePullPolicy: Always}\n"
	for carried, want := range map[string]string{"a/b:1": "a/b:1 (line 4)", "x/y:1": ""} {
		var said []string
		s := &Sources{report: func(e progress.Event) { said = append(said, e.Text) }}
		s.pulled("manifests/x.yaml", []byte(text), map[string]bool{carried: true})
		got := strings.Join(said, "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || strings.Contains(got, "c/d") {
			t.Errorf("with %s carried: %q, want %q", carried, got, want)
		}
		if want != "" && !strings.Contains(got, "manifests/x.yaml") {
			t.Errorf("the file is not named: %q", got)
		}
	}
}

// TestImageOfAFile: an image that cannot be had says which file asked for it, and
// how to go on without it.
func TestImageOfAFile(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is asked
	m := &manifest.Manifest{Name: "test", Platform: manifest.Platform{Family: "el8", Arch: "amd64"}}
	s, err := OpenSources(m, SourceOptions{Cache: t.TempDir(), Report: func(progress.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	found := []namedImage{{Image: manifest.Image{Name: "127.0.0.1:1/a/b:1"}, from: "manifests/x.yaml"}}
	_, err = lockImages(ctx, m, s, found)
	if err == nil || !strings.Contains(err.Error(), "manifests/x.yaml names") || !strings.Contains(err.Error(), "images: true") {
		t.Errorf("%v", err)
	}
}
