package install

import (
	"os"
	"path/filepath"
	"testing"
)

func TestArchivesIn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "usb [1] *\n")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.tar.zst.002", "a.tar.zst.001", "a.tar.zst.sha256", "notes.txt", "._a.tar.zst", "._a.tar.zst.001", ".hidden.tar.zst"} {
		write(t, filepath.Join(dir, name), "x")
	}
	if err := os.Mkdir(filepath.Join(dir, "d.tar.zst"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.tar.zst.001", filepath.Join(dir, "link.tar.zst")); err != nil {
		t.Fatal(err)
	}
	found, err := archivesIn(dir)
	if err != nil || len(found) != 1 || found[0] != filepath.Join(dir, "a.tar.zst.001") {
		t.Errorf("volumes: %q, %v", found, err)
	}
	write(t, filepath.Join(dir, "b.tar.zst"), "x")
	if found, err := archivesIn(dir); err != nil || len(found) != 2 {
		t.Errorf("two: %v, %v", found, err)
	}
}
