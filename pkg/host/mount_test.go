package host_test

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/host/hosttest"
)

func TestMountOf(t *testing.T) {
	t.Parallel()
	const list = `22 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/centos-root rw,seclabel
23 22 0:5 / /dev rw - devtmpfs devtmpfs rw
40 22 253:2 / /var/lib rw,noexec,relatime - ext4 /dev/mapper/centos-var rw
41 22 253:3 / /data\040disk rw - xfs /dev/sdb1 rw
42 22 253:4 / /data\040disk rw - btrfs /dev/sdc1 ro
garbage
`
	h, m := hosttest.New(t)
	if got, err := h.MountOf("/var"); err != nil || got.At != "" {
		t.Errorf("without a list: %+v, %v", got, err)
	}
	m.Write(t, "/proc/self/mountinfo", list)
	for dir, want := range map[string]string{
		"/var/lib/docker": "/var/lib ext4 noexec", "/var/library": "/ xfs", "/var/lib": "/var/lib ext4 noexec",
		"/data disk/docker": "/data disk btrfs ro", "/": "/ xfs", "/devices": "/ xfs",
	} {
		mount, err := h.MountOf(dir)
		got := mount.At + " " + mount.Type
		for _, o := range []string{"ro", "noexec"} {
			if mount.Has(o) {
				got += " " + o
			}
		}
		if err != nil || got != want {
			t.Errorf("%s lies on %s, want %s; %v", dir, got, want, err)
		}
	}
	// As the kernel lists it for older programs.
	const text = "rootfs / rootfs rw 0 0\n/dev/a / xfs rw 0 0\n/dev/b /var ext4 rw 0 0\n/dev/c /var/lib/docker\\040x xfs ro 0 0\n/dev/d /var/lib nfs4 rw 0 0\nbroken\n"
	m.Write(t, "/proc/self/mountinfo", hosttest.MountInfo(text))
	for path, want := range map[string]string{"/": "xfs /", "/usr": "xfs /", "/variable": "xfs /", "/var": "ext4 /var", "/var/lib/x": "nfs4 /var/lib", "/var/lib/docker x/y": "xfs /var/lib/docker x"} {
		if m, err := h.MountOf(path); err != nil || m.Type+" "+m.At != want {
			t.Errorf("%s: %+v, %v, want %s", path, m, err, want)
		}
	}
	mounts, err := h.Mounts()
	var places []string
	for _, m := range mounts {
		places = append(places, m.At)
	}
	if want := []string{"/", "/", "/var", "/var/lib/docker x", "/var/lib"}; err != nil || !slices.Equal(places, want) {
		t.Errorf("%q, %v", places, err)
	}
}

// FuzzMounts: whatever the kernel lists, a path lies on what is above it.
func FuzzMounts(f *testing.F) {
	f.Add("22 1 253:0 / / rw,relatime shared:1 - xfs /dev/sda1 rw\n")
	f.Add("41 22 253:3 / /data\\040disk rw - xfs /dev/sdb1 rw\n42 22")
	f.Fuzz(func(t *testing.T, text string) {
		h, m := hosttest.New(t)
		m.Write(t, "/proc/self/mountinfo", text)
		const path = "/var/lib/docker"
		got, err := h.MountOf(path)
		if err != nil || got.At != "" && got.At != path && !strings.HasPrefix(path, strings.TrimSuffix(got.At, "/")+"/") {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
