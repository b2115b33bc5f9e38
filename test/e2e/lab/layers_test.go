package lab

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// docker load refuses a layer that names a path twice, and two Debian packages
// have most of their folders in common.
func TestLayerNamesPathsOnce(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one/lib/a.so", "one/lib/both", "two/lib/b.so", "two/lib/both"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := Files("x", debTrees(dir, "one", "two")...).Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(&out); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if text, err := io.ReadAll(tr); err != nil || h.Name == "usr/lib/both" && string(text) != "one/lib/both" {
			t.Errorf("%s holds %q, %v", h.Name, text, err)
		}
	}
	if want := []string{"usr/lib/", "usr/lib/a.so", "usr/lib/both", "usr/lib/b.so"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
