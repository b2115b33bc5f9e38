package rpm_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/rpm"
)

// sharedData finds the real data beside the repository; tests that need it are
// skipped where it is absent.
func sharedData(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	data := filepath.Join(filepath.Dir(dir), "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no shared data beside the repository")
	}
	return data
}

// needTool skips, or in the lab fails, when a program is missing.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("KUBECRATE_LAB") == "1" {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
}

// realRPMs lists all packages of the shared data, relative to its rpms folder.
func realRPMs(t testing.TB) (dir string, names []string) {
	t.Helper()
	dir = filepath.Join(sharedData(t), "rpms")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".rpm") {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 100 {
		t.Fatalf("only %d packages in %s", len(names), dir)
	}
	return dir, names
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readKeyring(t testing.TB, data []byte) *rpm.Keyring {
	t.Helper()
	k, err := rpm.ReadKeyring(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// realKeys is every key of the shared data.
func realKeys(t testing.TB) *rpm.Keyring {
	t.Helper()
	data := sharedData(t)
	var rings []*rpm.Keyring
	for _, pattern := range []string{"keys/dgk/*", "keys/*.gpg", "rpms/cavaliergopher/RPM-GPG-KEY-*"} {
		paths, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no keys match %s: %v", pattern, err)
		}
		for _, path := range paths {
			rings = append(rings, readKeyring(t, readFile(t, path)))
		}
	}
	return rpm.Merge(rings...)
}
