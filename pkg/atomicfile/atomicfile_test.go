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

func TestSyncDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := atomicfile.SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := atomicfile.SyncDir(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is missing: %v", err)
	}
}

// TestOrder: the content is on the disk before the name is given, and the name
// afterwards, in this order.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		commit func(*atomicfile.File) error
		want   string
	}{
		{"commit", (*atomicfile.File).Commit, "create, sync file, rename to a, sync names"},
		{"new", (*atomicfile.File).CommitNew, "create, sync file, rename to new a, sync names"},
		{"abort", (*atomicfile.File).Abort, "create, remove"},
		{"publish", func(f *atomicfile.File) error { return errors.Join(f.Publish("b"), f.Abort()) }, "create, sync file, rename to b"},
		{"synced before", func(f *atomicfile.File) error { return errors.Join(f.Sync(), f.Commit()) }, "create, sync file, rename to a, sync names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, f, err := atomicfile.CreateRecorded(t.TempDir(), "a", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("content"); err != nil {
				t.Fatal(err)
			}
			if err := c.commit(f); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Done, ", "); got != c.want {
				t.Errorf("done: %s\nwant: %s", got, c.want)
			}
		})
	}
}

// TestFailure: whatever fails, the old content stays under the name, and
// nothing under another.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, fail := range []string{"sync file", "rename to a"} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a"), "old")
			_, f, err := atomicfile.CreateRecorded(dir, "a", fail)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("new"); err != nil {
				t.Fatal(err)
			}
			if err := f.Commit(); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("the failure is told as %v", err)
			}
			if got := list(t, dir); !slices.Equal(got, []string{"a"}) || read(t, filepath.Join(dir, "a")) != "old" {
				t.Errorf("there are %q", got)
			}
		})
	}
	_, f, err := atomicfile.CreateRecorded(t.TempDir(), "a", "sync names")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a name that may not be on the disk: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, "old, and longer")
	if err := atomicfile.WriteFile(path, []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o666 || read(t, path) != "new" {
		t.Errorf("%v, %v, %q", info, err, read(t, path))
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("there are %q", got)
	}
}

// TestWriteNew: what is there is never replaced, a link that leads nowhere
// included.
func TestWriteNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := atomicfile.WriteNew(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteNew(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) || read(t, path) != "first" {
		t.Errorf("%v, %q", err, read(t, path))
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteNew(link, []byte("x"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a link: %v", err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"a", "link"}) {
		t.Errorf("there are %q", got)
	}
}

// TestSweep: what a dead run left goes with the next one; what somebody is
// writing, and what is not ours by its name, stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	live, err := atomicfile.Create(filepath.Join(dir, "live"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.Abort() }()
	left := atomicfile.TempName("left")
	kept := []string{".kubecrate-0123-x.part", ".kubecrate-0123456789abcdef-x", "kubecrate-0123456789abcdef-x.part", ".x.part", ".kubecrate-0123456789abcdeg-x.part"}
	for _, name := range append(kept, left) {
		write(t, filepath.Join(dir, name), "x")
	}
	// A link on its way to its name, and what it leads to, which is not removed.
	if err := os.Symlink(kept[0], filepath.Join(dir, atomicfile.TempName("link"))); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := append(kept, filepath.Base(live.Name()), "other")
	slices.Sort(want)
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %q\nwant %q", got, want)
	}
	if busy, err := atomicfile.Busy(filepath.Join(dir, "live")); err != nil || !busy {
		t.Errorf("busy %v, %v", busy, err)
	}
	if busy, err := atomicfile.Busy(filepath.Join(dir, "live"), live); err != nil || busy {
		t.Errorf("busy beside our own: %v, %v", busy, err)
	}
	if err := live.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Sweep(filepath.Join(dir, "missing")); err != nil {
		t.Error(err)
	}
}

// TestLongName: a name as long as a name may be has a temporary one.
func TestLongName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), strings.Repeat("é", 127))
	if err := atomicfile.WriteFile(path, []byte("x"), 0o600); err != nil || read(t, path) != "x" {
		t.Error(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
