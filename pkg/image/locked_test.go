package image

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
)

// TestAgree: every field of a locked image that the layout knows is compared.
func TestAgree(t *testing.T) {
	t.Parallel()
	r, images := sample(t)
	fsys := r.archive(t, images...)
	paths, err := Agree(fsys, images)
	if err != nil {
		t.Fatal(err)
	}
	for name := range fsys {
		if _, ok := paths[name]; !ok {
			t.Errorf("%s belongs to no image", name)
		}
	}
	other := "sha256:" + strings.Repeat("ab", 32)
	for name, change := range map[string]func(*manifest.LockedImage){
		"name":     func(l *manifest.LockedImage) { l.Name = "example.org/other:1" },
		"digest":   func(l *manifest.LockedImage) { l.Digest = other },
		"config":   func(l *manifest.LockedImage) { l.Config.Digest = other },
		"size":     func(l *manifest.LockedImage) { l.Config.Size++ },
		"layer":    func(l *manifest.LockedImage) { l.Layers[0].DiffID = other },
		"layers":   func(l *manifest.LockedImage) { l.Layers = l.Layers[1:] },
		"platform": func(l *manifest.LockedImage) { l.Platform = "linux/arm64" },
	} {
		for i := range images {
			forged := slices.Clone(images)
			forged[i].Layers = slices.Clone(forged[i].Layers)
			change(&forged[i])
			if _, err := Agree(fsys, forged); err == nil || !strings.Contains(err.Error(), images[i].Name) && name != "name" {
				t.Errorf("%s of %s: %v", name, images[i].Name, err)
			}
		}
	}
	if _, err := Agree(fsys, images[1:]); err == nil {
		t.Error("an image that the lock does not list")
	}
	roled := slices.Clone(images)
	for i := range roled {
		roled[i].Roles = []manifest.Role{manifest.Master}
	}
	if paths, err := Agree(fsys, roled); err != nil || len(paths[blobPath(roled[0].Config.Digest)]) != 1 {
		t.Errorf("roles %v, %v", paths, err)
	}
}

// TestManyElements: a document of nothing but objects is not read.
func TestManyElements(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("{},", 600_000) + "{}"
	for name, body := range map[string]string{
		"index":    `{"schemaVersion":2,"manifests":[` + many + `]}`,
		"manifest": `{"schemaVersion":2,"config":{},"layers":[` + many + `]}`,
	} {
		if _, err := ParseDocument([]byte(body)); err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseConfig([]byte(`{"history":[` + many + `]}`)); err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
		t.Errorf("config: %v", err)
	}
	r, images := sample(t)
	fsys := r.archive(t, images...)
	fsys["images/manifest.json"].Data = []byte("[" + many + "]")
	if err := Validate(t.Context(), fsys, nil); err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
		t.Errorf("docker's list: %v", err)
	}
}
