package archive

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestStaleSignatures: signatures of the archive that was there before go, and
// nothing else does.
func TestStaleSignatures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.tar.zst")
	stale := []string{"x.tar.zst.index.minisig", "x.tar.zst.minisig", "x.tar.zst.sig", "x.tar.zst.pub", "x.tar.zst.pem", "x.tar.zst.001.minisig", "x.tar.zst.002.sig"}
	others := []string{"install.minisig", "kubecrate.pub", "x.tar.zst.notes", "y.tar.zst.index.minisig", "z.x.tar.zst.minisig"}
	for _, name := range slices.Concat(stale, others) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := WriteFile(t.Context(), path, options(Fast), tiny()); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append(others, "x.tar.zst", "x.tar.zst.sha256")))
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}
