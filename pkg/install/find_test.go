package install

import (
	"path/filepath"
	"testing"
)

func TestArchivesIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.tar.zst.002", "a.tar.zst.001", "a.tar.zst.sha256", "notes.txt"} {
		write(t, filepath.Join(dir, name), "x")
	}
	found, err := archivesIn(dir)
	if err != nil || len(found) != 1 || filepath.Base(found[0]) != "a.tar.zst.001" {
		t.Errorf("volumes: %v, %v", found, err)
	}
	write(t, filepath.Join(dir, "b.tar.zst"), "x")
	if found, err := archivesIn(dir); err != nil || len(found) != 2 {
		t.Errorf("two: %v, %v", found, err)
	}
}
