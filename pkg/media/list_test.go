package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestListEnds: a directory of names that nobody wants is not read for ever.
func TestListEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const files = 300
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for most, all := range map[int]bool{10: false, files - 1: false, files + 1: true} {
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		got, err := list(f, most, func(fs.DirEntry) bool { seen++; return true })
		if err := errors.Join(err, f.Close()); err != nil || got != all || seen != min(most, files) {
			t.Errorf("at most %d: %d seen, all %v, %v", most, seen, got, err)
		}
	}
}
