package extract

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
)

// packed is an archive of files.
func packed(t *testing.T, files map[string]string) *archive.Reader {
	t.Helper()
	var entries []archive.Entry
	for path, content := range files {
		sum := sha256.Sum256([]byte(content))
		entries = append(entries, archive.Entry{
			Artifact: manifest.Artifact{Path: path, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindFile},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		})
	}
	var b bytes.Buffer
	if _, err := archive.Create(t.Context(), &b, archive.CreateOptions{Name: "x", Platform: manifest.Platform{Family: "el7", Arch: "amd64"}, Level: archive.Fast}, entries); err != nil {
		t.Fatal(err)
	}
	r, err := archive.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMembers(t *testing.T) {
	t.Parallel()
	r := packed(t, map[string]string{"files/a": "A", "files/b/c": "C", "files.txt": "no"})
	dir := filepath.Join(t.TempDir(), "new")
	written, err := Members(r, []string{"files/"}, dir)
	slices.Sort(written)
	if want := []string{filepath.Join(dir, "files/a"), filepath.Join(dir, "files/b/c")}; err != nil || !slices.Equal(written, want) {
		t.Fatalf("wrote %v, %v, want %v", written, err, want)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "files/b/c")); err != nil || string(text) != "C" {
		t.Errorf("files/b/c holds %q, %v", text, err)
	}
	if _, err := Members(r, []string{"files/a"}, dir); err == nil || !strings.Contains(hint.Of(err), "not overwritten") {
		t.Errorf("a file that is there: %v", err)
	}
	if _, err := Members(r, []string{"files"}, dir); err == nil || !strings.Contains(err.Error(), `no member "files"`) {
		t.Errorf("a folder without its slash: %v", err)
	}
}

// TestMembersStayBelow: a link in the directory leads nothing out of it.
func TestMembersStayBelow(t *testing.T) {
	t.Parallel()
	r := packed(t, map[string]string{"files/a": "A"})
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	if _, err := Members(r, []string{"files/a"}, dir); err == nil {
		t.Error("a link out of the directory was followed")
	}
	if list, err := os.ReadDir(outside); err != nil || len(list) != 0 {
		t.Errorf("outside there is %v, %v", list, err)
	}
}

// TestWhole: a member has its name only when all of it is on the disk, and
// takes the place of nothing that came there meanwhile.
func TestWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const name = "manifests/a.yaml"
	f, err := createBelow(root, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("content"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is whole: %v", err)
	}
	other, err := createBelow(root, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CommitNew(); err != nil {
		t.Fatal(err)
	}
	if err := other.CommitNew(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over one that came meanwhile: %v", err)
	}
	if _, err := createBelow(root, name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over one that is there: %v", err)
	}
	list, err := os.ReadDir(filepath.Join(dir, "manifests"))
	if err != nil || len(list) != 1 {
		t.Errorf("there are %v, %v", list, err)
	}
}
