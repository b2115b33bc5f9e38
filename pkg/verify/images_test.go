package verify

import (
	"errors"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
)

// TestImagesOfDamage: what is damaged in an image is named by the image as well.
func TestImagesOfDamage(t *testing.T) {
	t.Parallel()
	digest := func(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }
	member := func(letter string) string { return "images/blobs/sha256/" + strings.Repeat(letter, 64) }
	layer := func(letter string) manifest.LockedLayer { return manifest.LockedLayer{DiffID: digest(letter)} }
	l := &manifest.Lock{Images: []manifest.LockedImage{
		{Name: "k8s.gcr.io/pause:3.1", Digest: digest("a"), Config: manifest.LockedBlob{Digest: digest("b")}, Layers: []manifest.LockedLayer{layer("c"), layer("c")}},
		{Name: "nginx:1.14", Digest: digest("d"), Config: manifest.LockedBlob{Digest: digest("e")}, Layers: []manifest.LockedLayer{layer("c"), layer("f")}},
	}}
	for path, want := range map[string]string{
		member("a"):  "is damaged: x (of k8s.gcr.io/pause:3.1)",
		member("b"):  "is damaged: x (of k8s.gcr.io/pause:3.1)",
		member("c"):  "is damaged: x (of k8s.gcr.io/pause:3.1 and 1 more)",
		member("f"):  "is damaged: x (of nginx:1.14)",
		"rpms/a.rpm": "is damaged: x",
	} {
		e := &Damaged{Path: "a", err: errors.Join(&archive.DamageError{Path: path, Reason: "x"}), images: imagesOf(l)}
		if got := e.Error(); !strings.HasSuffix(got, path+" "+want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}
