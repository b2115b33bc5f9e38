package media_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// TestChosen: nobody is told to move away what a flag names by mistake, which may
// be a device; what lies on the stick by that name may be moved.
func TestChosen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/zero", dir, large} {
		_, err := media.Named(path).Read(4)
		if got := hint.Of(err); err == nil || strings.Contains(got, "mv ") || !strings.Contains(got, "ls -ld "+path) {
			t.Errorf("%s: %v, hint %q", path, err, got)
		}
	}
	if _, err := media.At(dir).File("large").Read(4); !strings.Contains(hint.Of(err), "mv "+large) {
		t.Errorf("on the stick: %v, hint %q", err, hint.Of(err))
	}
}
