package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kubecrate/manifest"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
)

// run runs a stock program in dir and returns what it prints; it must succeed,
// and print nothing to stderr.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%s %q: %v\n%s%s", name, args, err, &out, &errs)
	}
	return out.String()
}

// listing is what ls -A prints.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestStockTools hands archives to zstd, tar and sha256sum.
func TestStockTools(t *testing.T) {
	t.Parallel()
	for _, l := range levels() {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "x.tar.zst")
			entries := sample(2)
			w, err := WriteFile(t.Context(), path, options(l), entries)
			if err != nil {
				t.Fatal(err)
			}
			run(t, dir, "zstd", "-q", "-t", "x.tar.zst")
			if got := run(t, dir, "sha256sum", "-c", "x.tar.zst.sha256"); got != "x.tar.zst: OK\n" {
				t.Errorf("sha256sum says %q", got)
			}
			names := strings.Fields(run(t, dir, "tar", "--zstd", "--quoting-style=literal", "-tf", "x.tar.zst"))
			if len(names) != len(entries)+1 || names[0] != IndexName {
				t.Errorf("tar lists %q", names)
			}
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
				t.Fatal(err)
			}
			run(t, dir, "tar", "--zstd", "-xf", "x.tar.zst", "-C", "out")
			for _, m := range w.Index.Members {
				got, err := os.ReadFile(filepath.Join(dir, "out", m.Path))
				i := slices.IndexFunc(entries, func(e Entry) bool { return e.Path == m.Path })
				if err != nil || !bytes.Equal(got, contentOf(entries[i])) {
					t.Errorf("tar unpacked another %s: %v", m.Path, err)
				}
				info, err := os.Stat(filepath.Join(dir, "out", m.Path))
				if err != nil || info.ModTime().Unix() != tarTime || (m.Kind == manifest.KindBinary) != (info.Mode().Perm() == 0o755) {
					t.Errorf("%s: %v, %v", m.Path, info, err)
				}
			}
			if list := run(t, dir, "zstd", "-q", "-lv", "x.tar.zst"); !strings.Contains(list, "XXH64") {
				t.Errorf("zstd -lv prints %s", list)
			}
		})
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.tar.zst")
	entries := sample(1)
	whole := create(t, Default, entries)
	for _, test := range []struct {
		volume int64
		files  []string
	}{
		{0, []string{"x.tar.zst"}},
		{int64(len(whole)), []string{"x.tar.zst"}},
		{int64(len(whole)+2) / 3, []string{"x.tar.zst.001", "x.tar.zst.002", "x.tar.zst.003"}},
		{int64(len(whole)) - 1, []string{"x.tar.zst.001", "x.tar.zst.002"}},
		{0, []string{"x.tar.zst"}},
	} {
		o := options(Default)
		o.VolumeSize = test.volume
		w, err := WriteFile(t.Context(), path, o, entries)
		if err != nil {
			t.Fatal(err)
		}
		want := append(slices.Clone(test.files), "x.tar.zst.sha256")
		if got := listing(t, dir); !slices.Equal(got, want) {
			t.Fatalf("volumes of %d: files %q, want %q", test.volume, got, want)
		}
		var joined []byte
		for i, f := range w.Files {
			b, err := os.ReadFile(f.Path)
			if err != nil || int64(len(b)) != f.Size || filepath.Base(f.Path) != test.files[i] {
				t.Fatalf("%+v: %d bytes, %v", f, len(b), err)
			}
			joined = append(joined, b...)
		}
		if !bytes.Equal(joined, whole) || w.Size != int64(len(whole)) {
			t.Errorf("volumes of %d: another archive", test.volume)
		}
		if got := run(t, dir, "sha256sum", "-c", "--strict", "x.tar.zst.sha256"); strings.Count(got, ": OK\n") != len(test.files) {
			t.Errorf("sha256sum says %q", got)
		}
		text, err := os.ReadFile(w.Sidecar)
		if err != nil || !strings.Contains(string(text), w.SHA256) {
			t.Errorf("the hash of the whole is not in the sidecar: %v\n%s", err, text)
		}
		for _, name := range append([]string{path}, test.files...) {
			if filepath.Base(name) == name {
				name = filepath.Join(dir, name)
			}
			r, c, err := OpenPath(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.Verify(t.Context(), nil, nil), c.Close()); err != nil {
				t.Error(err)
			}
			if ok, err := checkSidecar(t.Context(), name); !ok || err != nil {
				t.Errorf("sidecar of %s: %v, %v", name, ok, err)
			}
		}
	}
}

const volumeSize = 30_000

// volumesIn writes an archive of several volumes into a new directory.
func volumesIn(t *testing.T, seed uint64) (dir, path string, n int) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "x.tar.zst")
	o := options(Default)
	o.VolumeSize = volumeSize
	var entries []Entry
	for i := range 8 {
		entries = append(entries, member(fmt.Sprint("m", i), text(seed+uint64(i), 150_000), manifest.KindFile))
	}
	w, err := WriteFile(t.Context(), path, o, entries)
	if err != nil {
		t.Fatal(err)
	}
	return dir, path, len(w.Files)
}

func TestBadVolumes(t *testing.T) {
	t.Parallel()
	_, other, _ := volumesIn(t, 100)
	for _, test := range []struct {
		name   string
		change func(path string) error
		want   string
		hint   string
	}{
		{"first missing", func(p string) error { return os.Remove(p + ".001") }, "volume x.tar.zst.001 is missing", "copy it into"},
		{"one missing", func(p string) error { return os.Remove(p + ".002") }, "volume x.tar.zst.002 is missing", "copy it into"},
		{"last missing", func(p string) error { return os.Remove(lastVolume(p)) }, "is missing", "copy it into"},
		{"last missing, no sidecar", func(p string) error { return errors.Join(os.Remove(p+SidecarSuffix), os.Remove(lastVolume(p))) }, "no seek table", "sha256sum -c"},
		{"one short", func(p string) error { return os.Truncate(p+".002", volumeSize-1) }, "volume x.tar.zst.002 has 29999 bytes, the first one has 30000", "copy the archive again"},
		{"one long", func(p string) error { return os.Truncate(p+".002", volumeSize+1) }, "volume x.tar.zst.002 has 30001 bytes", "copy the archive again"},
		{"first short", func(p string) error { return os.Truncate(p+".001", volumeSize-1) }, "volume x.tar.zst.002 has 30000 bytes, the first one has 29999", "copy the archive again"},
		{"mixed", func(p string) error { return copyFile(other+".003", p+".003") }, "volume x.tar.zst.003 is damaged or from another build", "sha256sum -c"},
		{"mixed first", func(p string) error { return copyFile(other+".001", p+".001") }, "do not form one archive", "sha256sum -c"},
		{"mixed last", func(p string) error { return copyFile(lastVolume(other), lastVolume(p)) }, "do not form one archive", "sha256sum -c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, path, n := volumesIn(t, 1)
			if n < 5 {
				t.Fatalf("only %d volumes", n)
			}
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			_, _, err := OpenPath(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint.Of(err), test.hint) {
				t.Errorf("error %v, hint %s; want %s", err, hint.Of(err), test.want)
			}
			if _, err := checkSidecar(t.Context(), path); err == nil && !strings.Contains(test.name, "no sidecar") {
				t.Error("the sidecar found nothing")
			}
		})
	}
}

func lastVolume(path string) string {
	all, _ := filepath.Glob(path + ".[0-9]*")
	return slices.Max(all)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func TestOpenPathErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := OpenPath(filepath.Join(dir, "none.tar.zst")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing archive: %v", err)
	}
	if _, _, err := OpenPath(filepath.Join(dir, "none.tar.zst.001")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing volume: %v", err)
	}
	if _, _, err := OpenPath(dir); err == nil || hint.Of(err) == "" {
		t.Errorf("a directory: %v", err)
	}
	if _, err := WriteFile(t.Context(), filepath.Join(dir, "none", "x"), options(Default), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if ok, err := checkSidecar(t.Context(), filepath.Join(dir, "none")); ok || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sidecar of nothing: %v, %v", ok, err)
	}
}

// TestNothingLeft ends builds in every way but well: what was there stays, and
// nothing else does.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.tar.zst")
	if _, err := WriteFile(t.Context(), path, options(Default), tiny()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string) {
		t.Helper()
		after, err := os.ReadFile(path)
		if got := listing(t, dir); err != nil || !bytes.Equal(before, after) || !slices.Equal(got, []string{"x.tar.zst", "x.tar.zst.sha256"}) {
			t.Errorf("%s: %v, files %q", name, err, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	entries := sample(1)
	entries[8].Open = func() (io.ReadCloser, error) { cancel(); return io.NopCloser(zeros{}), nil }
	o := options(Default)
	o.VolumeSize = 10_000
	if _, err := WriteFile(ctx, path, o, entries); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	check("canceled")
	o.VolumeSize = 100
	if _, err := WriteFile(t.Context(), path, o, sample(1)); err == nil || !strings.Contains(err.Error(), "more than 999 volumes") {
		t.Errorf("too many volumes: %v", err)
	}
	check("too many volumes")

	// What a killed build left is removed, what another one is writing stays.
	left := filepath.Join(dir, ".kubecrate-0123456789abcdef-y.part")
	if err := os.WriteFile(left, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(t.Context(), path, options(Default), tiny()); err != nil {
		t.Error(err)
	}
	check("left behind")
	other, err := atomicfile.Create(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(t.Context(), path, options(Default), tiny()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two at once: %v", err)
	}
	if err := other.Abort(); err != nil {
		t.Error(err)
	}
	check("two at once")
}

// mount mounts a file system for the test, which needs root.
func mount(t *testing.T, source, kind, data string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount(source, dir, kind, 0, data); err != nil {
		t.Skipf("cannot mount %s: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, "tmpfs", "tmpfs", "size=300k")
	path := filepath.Join(dir, "x.tar.zst")
	entries := []Entry{member("a", text(1, 2<<20), manifest.KindFile)}
	check := func(err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(hint.Of(err), "df -h "+dir) {
			t.Errorf("error %v, hint %s", err, hint.Of(err))
		}
		if got := listing(t, dir); len(got) > 0 {
			t.Errorf("files %q", got)
		}
	}
	_, err := WriteFile(t.Context(), path, options(Default), entries)
	check(err)
	// Frames that are packed already are known not to fit before any is written.
	entries[0] = compressed(t, NewPacker(Default), entries[0])
	_, err = WriteFile(t.Context(), path, options(Default), entries)
	check(err)
	if !strings.Contains(err.Error(), " needed, ") {
		t.Errorf("space was not compared: %v", err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, "tmpfs", "tmpfs", "size=1m")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := WriteFile(t.Context(), filepath.Join(dir, "x.tar.zst"), options(Default), tiny())
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(hint.Of(err), "mounted read-only") {
		t.Errorf("error %v, hint %s", err, hint.Of(err))
	}
	for target, want := range map[string]string{
		dir:                       "cannot write to " + dir + ": read-only file system",
		filepath.Join(dir, "new"): "cannot create the target directory: ",
	} {
		err := MakeDir(target)
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(hint.Of(err), "mounted read-only") || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, hint %s", target, err, hint.Of(err))
		}
	}
}

func TestMakeDir(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MakeDir(dir); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
	}
}

// TestFAT writes to a real FAT file system: its limit is known, and volumes
// that it cannot hold are refused.
func TestFAT(t *testing.T) {
	t.Parallel()
	image := filepath.Join(t.TempDir(), "fat")
	if err := os.WriteFile(image, make([]byte, 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "/", "mkfs.vfat", image)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), tool(t, "mount"), "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount vfat: %v: %s", err, out)
	}
	defer run(t, "/", "umount", dir)
	if limit, ok := FileLimit(dir); limit != 1<<32-1 || !ok {
		t.Errorf("limit %d, %v", limit, ok)
	}
	path := filepath.Join(dir, "x.tar.zst")
	if _, err := WriteFile(t.Context(), path, options(Default), tiny()); err != nil {
		t.Error(err)
	}
	o := options(Default)
	o.VolumeSize = 1 << 32
	if _, err := WriteFile(t.Context(), path, o, tiny()); err == nil || hint.Of(err) == "" {
		t.Errorf("volumes of 4 GiB: %v", err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{"x.tar.zst", "x.tar.zst.sha256"}) {
		t.Errorf("files %q", got)
	}
}

func TestVolumeLimit(t *testing.T) {
	t.Parallel()
	const fat = 1<<32 - 1
	for _, test := range []struct {
		wanted, most int64
		limited      bool
		want         string
	}{
		{0, 0, false, "0 <nil>"},
		{1000, 0, false, "1000 <nil>"},
		{0, fat, true, "4293918720 <nil>"},
		{1000, fat, true, "1000 <nil>"},
		{fat, fat, true, "4294967295 <nil>"},
		{fat + 1, fat, true, "0 volumes of 4294967296 bytes do not fit on FAT, which limits files to 4294967295 bytes"},
		{-1, 0, false, "0 invalid volume size of -1 bytes"},
	} {
		limit, err := volumeLimit(test.wanted, test.most, test.limited)
		if got := fmt.Sprint(limit, " ", err); got != test.want {
			t.Errorf("volumes of %d where files have %d: %s, want %s", test.wanted, test.most, got, test.want)
		}
	}
}

func TestSidecar(t *testing.T) {
	t.Parallel()
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, test := range []struct{ text, want string }{
		{sum + "  a\n# comment\n\n" + strings.ToUpper(sum) + " *b\r\n", "2 <nil>"},
		{sum + "  ../a\n", "0 archive is damaged: the sidecar has an invalid line"},
		{sum[1:] + "  a\n", "0 archive is damaged: the sidecar has an invalid line"},
		{sum + "\n", "0 archive is damaged: the sidecar has an invalid line"},
		{sum + "  a\n" + sum + "  a\n", "0 archive is damaged: the sidecar lists \"a\" twice"},
		{"hello\n", "0 archive is damaged: the sidecar has an invalid line"},
	} {
		side, err := parseSidecar(strings.NewReader(test.text))
		n := 0
		if side != nil {
			n = len(side.sums)
		}
		if got := fmt.Sprint(n, " ", err); !strings.HasPrefix(got, test.want) {
			t.Errorf("%q: %s, want %s", test.text, got, test.want)
		}
	}
}

// TestHintsAreCommands: what a damaged archive's error advises works as typed, from
// any directory, and finds the damage until the archive is copied again.
func TestHintsAreCommands(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a stick")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.tar.zst")
	if _, err := WriteFile(t.Context(), path, options(Default), sample(1)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenPath(dir); !strings.HasSuffix(hint.Of(err), ": '"+path+"'") {
		t.Errorf("a directory: %v, hint %s", err, hint.Of(err))
	}
	for _, sidecar := range []bool{true, false} {
		for name, bad := range map[string][]byte{"end": good[:len(good)-1], "content": flipped(good, len(good)/2)} {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r, c, err := OpenPath(path)
			if err == nil {
				err = errors.Join(r.Verify(t.Context(), nil, nil), c.Close())
			}
			_, command, ok := strings.Cut(hint.Of(err), ": ")
			if !ok {
				t.Fatalf("%s: %v, hint %q", name, err, hint.Of(err))
			}
			says, failed := exec.Command("sh", "-c", command).CombinedOutput()
			if sidecar && failed == nil || !strings.Contains(string(says), "x.tar.zst") {
				t.Errorf("%s: %q says %s, %v", name, command, says, failed)
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			if says, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Errorf("%s: %q of a good archive says %s, %v", name, command, says, err)
			}
		}
		if sidecar {
			if err := os.Remove(path + SidecarSuffix); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 0x10
	return b
}
