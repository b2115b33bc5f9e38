package store

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzPath: no digest and no entry name leads out of the cache.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"sha256:" + strings.Repeat("a", 64), "sha256:../x", "..", "a/../b", "", "x\x00y", "sha1:" + strings.Repeat("0", 40)} {
		f.Add(s)
	}
	s := &Store{dir: "/cache"}
	f.Fuzz(func(t *testing.T, name string) {
		if p := s.Path(name); p != "" && (filepath.Clean(p) != p || filepath.Dir(filepath.Dir(p)) != s.blobDir()) {
			t.Errorf("Path(%q) = %s", name, p)
		}
		if p, err := s.entryPath("ns", name); err == nil && filepath.Dir(p) != "/cache/entries/ns" {
			t.Errorf("entryPath(%q) = %s", name, p)
		}
		if p, err := s.entryPath(name, "key"); err == nil && filepath.Dir(filepath.Dir(p)) != "/cache/entries" {
			t.Errorf("entryPath(%q) = %s", name, p)
		}
	})
}
