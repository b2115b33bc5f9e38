package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/hint"
)

// smallDisk takes some bytes and is full then.
type smallDisk struct {
	f    io.WriterAt
	room int64
	err  error
}

func (d *smallDisk) WriteAt(b []byte, off int64) (int, error) {
	n := min(int64(len(b)), d.room)
	d.room -= n
	if _, err := d.f.WriteAt(b[:n], off); err != nil {
		return 0, err
	}
	if n < int64(len(b)) {
		return int(n), &fs.PathError{Op: "write", Path: "blob", Err: d.err}
	}
	return int(n), nil
}

// TestFullDiskInjected fills the disk in the middle of a write: the bytes that
// were taken are counted and hashed, and the blob is gone on with once there is
// room.
func TestFullDiskInjected(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{unix.ENOSPC, unix.EDQUOT} {
		s := open(t, t.TempDir())
		data := bytes.Repeat([]byte("abc"), 100)
		p, err := s.Partial(t.Context(), digestOf(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Expect(300); err != nil {
			t.Fatal(err)
		}
		p.file.w = &smallDisk{f: p.file.File, room: 100, err: cause}
		n, err := p.Write(data)
		var space *SpaceError
		if n != 100 || !errors.As(err, &space) || !errors.Is(err, cause) {
			t.Fatalf("wrote %d, error is %v", n, err)
		}
		if space.Dir != s.Dir() || space.Need != 200 || space.Free <= 0 {
			t.Errorf("error has %+v", space)
		}
		if got := hint.Of(err); !strings.Contains(got, "df -h "+s.Dir()) || !strings.Contains(got, "--cache DIR") {
			t.Errorf("hint is %q", got)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		p, err = s.Partial(t.Context(), digestOf(data), nil)
		if err != nil || p.Size() != 100 {
			t.Fatalf("there are %d bytes, %v", p.Size(), err)
		}
		if _, err := p.Write(data[100:]); err != nil {
			t.Error(err)
		}
		if _, err := p.Commit(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// mountTmpfs mounts a small disk, where the test may.
func mountTmpfs(t *testing.T, options string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not root: no tmpfs can be mounted")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk fills a real disk of 1 MiB.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(mountTmpfs(t, "size=1m"), "cache"))
	data := bytes.Repeat([]byte{'x'}, 2<<20)
	_, _, err := s.Put(t.Context(), bytes.NewReader(data), "")
	checkFull(t, s, err)
	w, err := s.CreateEntry("ns", "key")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	checkFull(t, s, err)
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	p, err := s.Partial(t.Context(), digestOf(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkFull(t, s, p.Expect(int64(len(data))))
	_, err = p.Write(data)
	checkFull(t, s, err)
	if err := p.Discard(); err != nil {
		t.Error(err)
	}
	if names := left(t, s); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
	if _, _, err := s.Put(t.Context(), strings.NewReader("small"), ""); err != nil {
		t.Errorf("after the large one was dropped: %v", err)
	}
}

// checkFull wants the message a user needs.
func checkFull(t *testing.T, s *Store, err error) {
	t.Helper()
	var space *SpaceError
	if !errors.As(err, &space) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error is %v", err)
		return
	}
	for _, want := range []string{"no space left on device", s.Dir(), fmt.Sprint(space.Need) + " bytes needed", fmt.Sprint(space.Free) + " bytes free"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	if space.Need <= 0 || space.Free < 0 || space.Free > 1<<20 || !strings.Contains(hint.Of(err), "--cache DIR") {
		t.Errorf("error is %+v, hint %q", space, hint.Of(err))
	}
}

// TestReadOnly opens a cache on a disk that is mounted read-only.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := mountTmpfs(t, "size=1m")
	open(t, filepath.Join(dir, "cache"))
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"cache", "new"} {
		_, err := Open(filepath.Join(dir, path))
		if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), filepath.Join(dir, path)) || !strings.Contains(hint.Of(err), "--cache DIR") {
			t.Errorf("%s: error is %v, hint %q", path, err, hint.Of(err))
		}
	}
}

// TestForeignDirectory is another user's cache.
func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := Open(filepath.Join(dir, "cache"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(hint.Of(err), "ls -ld") {
		t.Errorf("error is %v, hint %q", err, hint.Of(err))
	}
}

func TestOpenOnAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "cannot open the cache") {
		t.Errorf("error is %v", err)
	}
}
