package media_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

const limit = 16

// stick lays out a directory with something of every kind, and beside it what
// the links lead to.
func stick(t *testing.T) (d media.Dir, elsewhere string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "usb [1]*?\n%s'")
	elsewhere = filepath.Join(top, "elsewhere")
	for _, p := range []string{dir, elsewhere, dir + "/hosts"} {
		must(t, os.Mkdir(p, 0o755))
	}
	for name, text := range map[string]string{
		dir + "/plain": "plain", dir + "/full": strings.Repeat("x", limit), dir + "/large": strings.Repeat("x", limit+1),
		dir + "/hosts/a.json": "a", elsewhere + "/secret": "secret",
	} {
		must(t, os.WriteFile(name, []byte(text), 0o644))
	}
	for name, to := range map[string]string{
		"away": elsewhere + "/secret", "inside": "plain", "dangling": "nowhere", "loop": "loop",
		"dir": elsewhere, "near": "hosts", "endless": "/dev/zero",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	must(t, syscall.Mkfifo(dir+"/fifo", 0o644))
	must(t, syscall.Mkfifo(dir+"/hosts/fifo", 0o644))
	return media.At(dir), elsewhere
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	d, _ := stick(t)
	for _, c := range []struct {
		name, text string
		err        error
	}{
		{"plain", "plain", nil},
		{"full", strings.Repeat("x", limit), nil},
		{"hosts/a.json", "a", nil},
		{"large", "", media.ErrTooLarge},
		{"missing", "", fs.ErrNotExist},
		{"missing/x", "", fs.ErrNotExist},
		{"away", "", media.ErrLink},
		{"inside", "", media.ErrLink},
		{"dangling", "", media.ErrLink},
		{"loop", "", media.ErrLink},
		{"endless", "", media.ErrLink},
		{"dir", "", media.ErrLink},
		{"dir/secret", "", media.ErrLink},
		{"near/a.json", "", media.ErrLink},
		{"fifo", "", media.ErrNotRegular},
		{"fifo/x", "", media.ErrNotDir},
		{"hosts/fifo", "", media.ErrNotRegular},
		{"hosts", "", media.ErrNotRegular},
		{"plain/x", "", media.ErrNotDir},
		{"../elsewhere/secret", "", media.ErrName},
		{"hosts/../plain", "", media.ErrName},
		{"/etc/passwd", "", media.ErrName},
		{"", "", media.ErrName},
	} {
		text, err := d.ReadFile(c.name, limit)
		if !errors.Is(err, c.err) || string(text) != c.text {
			t.Errorf("%q: %q, %v; want %q, %v", c.name, text, err, c.text, c.err)
		}
		if _, serr := d.Stat(c.name); !errors.Is(c.err, media.ErrTooLarge) && !errors.Is(serr, c.err) {
			t.Errorf("Stat of %q: %v, want %v", c.name, serr, c.err)
		}
		if err != nil && !errors.Is(c.err, media.ErrName) && !strings.Contains(err.Error(), d.Path()) {
			t.Errorf("%q: %v does not say where it is", c.name, err)
		}
		if err != nil && !errors.Is(c.err, media.ErrName) && !errors.Is(c.err, fs.ErrNotExist) && hint.Of(err) == "" {
			t.Errorf("%q: %v has no hint", c.name, err)
		}
	}
	if _, err := d.ReadFile("missing", limit); !os.IsNotExist(err) {
		t.Errorf("os.IsNotExist does not know %v", err)
	}
	if _, err := media.At(d.Join("fifo")).ReadFile("x", limit); err == nil {
		t.Error("a pipe is taken for a directory")
	}
	if _, err := media.At("/proc/self").ReadFile("status", limit); !errors.Is(err, media.ErrTooLarge) {
		t.Errorf("a file without a size: %v", err)
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("devices are named differently")
	}
	for _, name := range []string{"zero", "tty", "null"} {
		if _, err := media.At("/dev").ReadFile(name, limit); !errors.Is(err, media.ErrNotRegular) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("/dev/%s: %v", name, err)
		}
		if _, err := media.Named("/dev/" + name).Read(limit); !errors.Is(err, media.ErrNotRegular) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("/dev/%s, named: %v", name, err)
		}
	}
}

// TestNamed: what the operator names may be a link, and is bounded all the same.
func TestNamed(t *testing.T) {
	t.Parallel()
	d, _ := stick(t)
	for _, c := range []struct {
		name, text string
		err        error
	}{
		{"plain", "plain", nil},
		{"away", "secret", nil},
		{"dir/secret", "secret", nil},
		{"large", "", media.ErrTooLarge},
		{"fifo", "", media.ErrNotRegular},
		{"endless", "", media.ErrNotRegular},
		{"hosts", "", media.ErrNotRegular},
		{"dangling", "", fs.ErrNotExist},
		{"missing", "", fs.ErrNotExist},
	} {
		f := media.Named(d.Join(c.name))
		text, err := f.Read(limit)
		if !errors.Is(err, c.err) || string(text) != c.text {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, text, err, c.text, c.err)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"new", "plain", "hosts/a.json", "hosts/new", "made/so/deep", "away", "inside", "dangling", "fifo", "endless"} {
		d, elsewhere := stick(t)
		for _, temp := range []string{".new.new", ".plain.new", "hosts/.a.json.new"} {
			must(t, os.Symlink(elsewhere+"/secret", d.Join(temp)))
		}
		if err := d.Write(name, []byte("written"), 0o600); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := d.ReadFile(name, limit)
		info, serr := d.Stat(name)
		if err != nil || serr != nil || string(text) != "written" || info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds %q, %v, %v", name, text, err, serr)
		}
		unchanged(t, name, elsewhere)
	}
	for name, want := range map[string]error{"dir/new": media.ErrLink, "near/new": media.ErrLink, "dir/made/new": media.ErrLink, "plain/new": media.ErrNotDir, "../x": media.ErrName} {
		d, elsewhere := stick(t)
		if err := d.Write(name, []byte("x"), 0o600); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		unchanged(t, name, elsewhere)
	}
	d, _ := stick(t)
	if err := d.Write("hosts", []byte("x"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Lstat(d.Join(".hosts.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that could not get its name stays: %v", err)
	}
}

// unchanged says whether something was done behind the links.
func unchanged(t *testing.T, what, elsewhere string) {
	t.Helper()
	entries, err := os.ReadDir(elsewhere)
	text, rerr := os.ReadFile(elsewhere + "/secret")
	if err != nil || rerr != nil || len(entries) != 1 || !bytes.Equal(text, []byte("secret")) {
		t.Errorf("%s: behind the link there are %v, %q, %v, %v", what, entries, text, err, rerr)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	d, elsewhere := stick(t)
	for _, name := range []string{"plain", "away", "dir", "near", "fifo", "hosts/a.json"} {
		if err := d.Remove(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(d.Join(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	must(t, os.Symlink(elsewhere, d.Join("dir")))
	if err := d.Remove("dir/secret"); !errors.Is(err, media.ErrLink) {
		t.Errorf("behind a link: %v", err)
	}
	if err := d.RemoveEmpty("dir"); !errors.Is(err, media.ErrLink) {
		t.Errorf("a link to a directory: %v", err)
	}
	if err := d.Remove("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	unchanged(t, "removing", elsewhere)
	if err := d.RemoveEmpty("hosts"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(d.Join("hosts")); err != nil {
		t.Errorf("a directory with something in it is gone: %v", err)
	}
	must(t, d.Remove("hosts/fifo"))
	must(t, d.RemoveEmpty("hosts"))
	if _, err := os.Lstat(d.Join("hosts")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory stays: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	d, _ := stick(t)
	must(t, os.WriteFile(d.Join("._plain"), nil, 0o644))
	all := func(string) bool { return true }
	names, err := d.List(".", 10, all)
	if want := []string{"full", "large", "plain"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, err, want)
	}
	names, err = d.List(".", 10, func(name string) bool { return name != "large" })
	if want := []string{"full", "plain"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, err, want)
	}
	if names, err = d.List(".", 3, all); len(names) != 3 || err != nil {
		t.Errorf("as many as are there: %q, %v", names, err)
	}
	if names, err = d.List(".", 2, all); len(names) != 2 || !errors.Is(err, media.ErrTooMany) {
		t.Errorf("too many: %q, %v", names, err)
	}
	if names, err = d.List("hosts", 2, all); !slices.Equal(names, []string{"a.json"}) || err != nil {
		t.Errorf("hosts: %q, %v", names, err)
	}
	for name, want := range map[string]error{"dir": media.ErrLink, "near": media.ErrLink, "fifo": media.ErrNotDir, "plain": media.ErrNotDir, "missing": fs.ErrNotExist} {
		if names, err := d.List(name, 2, all); len(names) > 0 || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	d, _ := stick(t)
	pinned, err := d.Pin()
	must(t, err)
	if _, err := pinned.ReadFile("plain", limit); err != nil {
		t.Error(err)
	}
	must(t, os.Rename(d.Path(), d.Path()+".away"))
	must(t, os.Mkdir(d.Path(), 0o755))
	if err := pinned.Write("new", nil, 0o600); !errors.Is(err, media.ErrGone) {
		t.Errorf("another directory: %v", err)
	}
	if err := d.Write("new", nil, 0o600); err != nil {
		t.Errorf("one that is not pinned: %v", err)
	}
	must(t, os.RemoveAll(d.Path()))
	if _, err := d.Pin(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is missing: %v", err)
	}
}

// TestKilled: what a run that was killed left of a file goes with the next write
// of it, and is no file of the stick meanwhile.
func TestKilled(t *testing.T) {
	t.Parallel()
	d := media.At(t.TempDir())
	for _, left := range []string{".kubecrate-0123456789abcdef-a.json.part", ".a.json.new"} {
		must(t, os.WriteFile(d.Join(left), []byte("ha"), 0o644))
	}
	all := func(string) bool { return true }
	if names, err := d.List(".", 10, all); len(names) > 0 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	must(t, d.Write("a.json", []byte("half"), 0o644))
	entries, err := os.ReadDir(d.Path())
	if err != nil || len(entries) != 1 || entries[0].Name() != "a.json" {
		t.Errorf("there are %v, %v", entries, err)
	}
}
