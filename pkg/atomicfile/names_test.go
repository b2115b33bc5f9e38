package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/atomicfile"
)

// TestRename: the directory is synced when the file has its new name in it, and
// the one that it left after that.
func TestRename(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	from, to := filepath.Join(top, "a"), filepath.Join(top, "b")
	for _, d := range []string{from, to} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(from, "x"), "content")
	var synced []string
	note := func(dir string) error {
		synced = append(synced, filepath.Base(dir)+": "+strings.Join(list(t, dir), " "))
		return nil
	}
	if err := atomicfile.RenameWith(filepath.Join(from, "x"), filepath.Join(to, "y"), note); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.RenameWith(filepath.Join(to, "y"), filepath.Join(to, "z"), note); err != nil {
		t.Fatal(err)
	}
	if want := []string{"b: y", "a: ", "b: z"}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	failing := func(string) error { return fs.ErrInvalid }
	if err := atomicfile.RenameWith(filepath.Join(to, "z"), filepath.Join(to, "x"), failing); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a name that may not be on the disk: %v", err)
	}
	if err := atomicfile.Rename(filepath.Join(to, "missing"), filepath.Join(to, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := atomicfile.Rename(to, filepath.Join(top, "c")); err != nil || read(t, filepath.Join(top, "c", "x")) != "content" {
		t.Errorf("a directory: %v", err)
	}
}

// TestMkdirAll: the name of each directory that is made is synced in the one
// above it.
func TestMkdirAll(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	var synced []string
	note := func(dir string) error {
		rel, err := filepath.Rel(top, dir)
		synced = append(synced, rel+": "+strings.Join(list(t, dir), " "))
		return err
	}
	for range 2 {
		if err := atomicfile.MkdirAllWith(filepath.Join(top, "a", "b", "c"), 0o700, note); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{".: a", "a: b", "a/b: c"}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
	if info, err := os.Stat(filepath.Join(top, "a", "b")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	write(t, filepath.Join(top, "file"), "")
	for _, dir := range []string{"file", "file/below"} {
		if err := atomicfile.MkdirAll(filepath.Join(top, dir), 0o700); err == nil {
			t.Errorf("%s was made", dir)
		}
	}
	if err := os.Symlink("a", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.MkdirAll(filepath.Join(top, "link", "d"), 0o700); err != nil || !slices.Contains(list(t, filepath.Join(top, "a")), "d") {
		t.Errorf("below a link to a directory: %v", err)
	}
}

func TestSymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "old")
	r, err := atomicfile.SymlinkRecorded(dir, "/etc/target", "a", "")
	if got := strings.Join(r.Done, ", "); err != nil || got != "symlink, rename to a, sync names" {
		t.Errorf("done: %s, %v", got, err)
	}
	if _, err := atomicfile.SymlinkRecorded(dir, "elsewhere", "a", "rename to a"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a rename that fails: %v", err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "a")); err != nil || to != "/etc/target" {
		t.Errorf("it leads to %q, %v", to, err)
	}
	if err := os.Symlink("x", filepath.Join(dir, atomicfile.TempName("a"))); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Symlink("elsewhere", filepath.Join(dir, "a")); err != nil {
		t.Error(err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "a")); err != nil || to != "elsewhere" || !slices.Equal(list(t, dir), []string{"a"}) {
		t.Errorf("it leads to %q, %v; there are %q", to, err, list(t, dir))
	}
}

// TestCreateIn: the directory is the one that is open, not what has its name.
func TestCreateIn(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "stick")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, atomicfile.TempName("old")), "left by a run that was killed")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.CreateIn(root, "a", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("content"); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir+".away"); !slices.Equal(got, []string{"a"}) || len(list(t, dir)) > 0 {
		t.Errorf("there are %q and %q", got, list(t, dir))
	}
	if err := atomicfile.SyncRoot(root); err != nil {
		t.Errorf("root was closed: %v", err)
	}
	if _, err := atomicfile.CreateIn(root, "missing/a", 0o600); err == nil || strings.Contains(err.Error(), ".kubecrate-") {
		t.Errorf("in a directory that is missing: %v", err)
	}
}
