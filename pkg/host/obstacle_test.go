package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

func link(t *testing.T, h *host.Host, to, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.Path(at)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, h.Path(at)); err != nil {
		t.Fatal(err)
	}
}

// TestObstacle: what is in the way of a file, and what is not, by links below
// the root alone.
func TestObstacle(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/fstab", "", "/etc/dir/x", "", "/etc/plain", "", "/real/file", "")
	link(t, h, "/gone/dir", "/root/.kube")
	link(t, h, "../etc/loop", "/etc/loop")
	link(t, h, "/real/file", "/etc/good")
	link(t, h, "/real/new", "/etc/fresh")
	link(t, h, "/gone/file", "/etc/lost")
	link(t, h, "/etc/dir", "/etc/todir")
	link(t, h, "/gone", "/var/lib/docker")
	for _, c := range []struct {
		path       string
		dir        bool
		says, hint string
	}{
		{"/etc/fstab", false, "", ""},
		{"/etc/new/deep/file", false, "", ""},
		{"/etc/good", false, "", ""},
		{"/etc/fresh", false, "", ""},
		{"/etc/dir", true, "", ""},
		{"/etc/todir/x", false, "", ""},
		{"/root/.kube/config", false, "/root/.kube is a link to /gone/dir, which does not exist", "rm /root/.kube"},
		{"/root/.kube", true, "/root/.kube is a link to /gone/dir", "rm /root/.kube"},
		{"/var/lib/docker", true, "/var/lib/docker is a link to /gone, which does not exist", "mount -a"},
		{"/etc/lost", false, "/etc/lost is a link to /gone/file", "rm /etc/lost"},
		{"/etc/loop", false, "is a circular link", "rm /etc/loop"},
		{"/etc/plain/config", false, "/etc/plain is not a directory", "mv /etc/plain /etc/plain.old"},
		{"/etc/plain", true, "/etc/plain is not a directory", "mv /etc/plain"},
		{"/etc/dir", false, "/etc/dir is a directory", "mv /etc/dir /etc/dir.old"},
		{"/etc/todir", false, "/etc/dir is a directory", "mv /etc/dir"},
	} {
		err := h.Obstacle(c.path, c.dir)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: %v (hint %q), want %q", c.path, err, hint.Of(err), c.says)
		}
	}
	m.Write(t, "/proc/self/mountinfo", hosttest.MountInfo("tmpfs /etc/fstab tmpfs rw 0 0\n"))
	if err := h.Obstacle("/etc/fstab", false); err == nil || hint.Of(err) != "umount /etc/fstab" {
		t.Errorf("a file that is mounted: %v", err)
	}
}

// chattr sets an attribute of chattr(1) until the test ends, or skips.
func chattr(t *testing.T, path string, flag int) {
	t.Helper()
	set := func(flag int) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
		if err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags&^0x30|flag)
	}
	if err := set(flag); err != nil {
		t.Skipf("this file system has no attributes, or this is not root: %v", err)
	}
	t.Cleanup(func() {
		if err := set(0); err != nil {
			t.Error(err)
		}
	})
}

// TestImmutable: chattr +i and +a, on a file and on its directory.
func TestImmutable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at, hint string
		flag     int
	}{
		{"/etc/fstab", "chattr -i /etc/fstab", 0x10}, {"/etc/fstab", "chattr -a /etc/fstab", 0x20},
		{"/etc", "chattr -i /etc", 0x10}, {"/etc", "chattr -a /etc", 0x20},
	} {
		t.Run(c.hint, func(t *testing.T) {
			t.Parallel()
			h, m := hosttest.New(t)
			m.Write(t, "/etc/fstab", "text")
			chattr(t, h.Path(c.at), c.flag)
			if err := h.Obstacle("/etc/fstab", false); err == nil || hint.Of(err) != c.hint {
				t.Errorf("%v (hint %q), want %q", err, hint.Of(err), c.hint)
			}
			err := h.With(&tape{}).WriteFile("/etc/fstab", []byte("other"), host.FileMode)
			if err == nil || hint.Of(err) != c.hint || !strings.Contains(err.Error(), "cannot write /etc/fstab: "+c.at+" ") {
				t.Errorf("written all the same: %v (hint %q)", err, hint.Of(err))
			}
		})
	}
}

// TestFull: a file system without room, without inodes, and read-only.
func TestFull(t *testing.T) {
	t.Parallel()
	h, _ := hosttest.New(t)
	at := h.Path("/small")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(flags uintptr, options string) {
		t.Helper()
		if err := syscall.Mount("none", at, "tmpfs", flags, options); err != nil {
			t.Skipf("this host mounts nothing for a test: %v", err)
		}
	}
	mount(0, "size=1m")
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	cause := hint.With(errors.New("database disk image is malformed"), "rpm --rebuilddb")
	err := h.Full(cause, "/elsewhere", "/small/x/y")
	var full *host.FullError
	if !errors.As(err, &full) || !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "the file system of / is full: database") || !strings.HasPrefix(hint.Of(err), "df -h /;") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	if err := h.Obstacle("/small/file", false); !errors.As(err, &full) {
		t.Errorf("a file on it: %v", err)
	}
	if err := h.Full(cause, "/elsewhere"); !errors.Is(err, cause) || hint.Of(err) != "rpm --rebuilddb" {
		t.Errorf("elsewhere: %v", err)
	}
	mount(syscall.MS_REMOUNT, "size=16m,nr_inodes=1")
	if err := h.Full(nil, "/small"); err == nil || !strings.Contains(err.Error(), "no free inodes") || !strings.HasPrefix(hint.Of(err), "df -i") {
		t.Errorf("no inodes: %v (hint %q)", err, hint.Of(err))
	}
	mount(syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=16m,nr_inodes=100")
	if err := h.Obstacle("/small/file", false); err == nil || !strings.Contains(err.Error(), "read-only") || !strings.Contains(hint.Of(err), "mount -o remount,rw") {
		t.Errorf("read-only: %v", err)
	}
}
