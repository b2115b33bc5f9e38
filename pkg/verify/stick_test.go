package verify_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/media"
)

// TestPipesBesideAnArchive: neither a sidecar nor a volume that is a pipe, or a
// link, is waited for or followed.
func TestPipesBesideAnArchive(t *testing.T) {
	t.Parallel()
	for _, lay := range []func(path string) error{
		func(path string) error { return syscall.Mkfifo(path, 0o644) },
		func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(dir+"/a.tar.zst", nil, 0o644), lay(dir+"/a.tar.zst.sha256"), os.WriteFile(dir+"/v.tar.zst.001", nil, 0o644), lay(dir+"/v.tar.zst.002"), os.WriteFile(dir+"/v.tar.zst.003", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		var used *media.Error
		if _, err := (&archive.Digests{}).CheckSidecar(dir+"/a.tar.zst", nil); !errors.As(err, &used) || used.Path != dir+"/a.tar.zst.sha256" {
			t.Errorf("a sidecar: %v", err)
		}
		if _, _, err := archive.OpenPath(dir + "/v.tar.zst"); !errors.As(err, &used) || used.Path != dir+"/v.tar.zst.002" {
			t.Errorf("a volume: %v", err)
		}
	}
}
