//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounted mounts a file system at the site's target for the test.
func (s *site) mounted(at, source, kind string, flags uintptr, data string) error {
	s.t.Helper()
	if err := os.MkdirAll(at, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Mount(source, at, kind, flags, data); err != nil {
		return err
	}
	s.t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			s.t.Errorf("cannot unmount %s: %v", at, err)
		}
	})
	return nil
}

// TestFullDisk: the target, then the cache, is too small.
func TestFullDisk(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}})
	if err := s.mounted(s.out, "lab", "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	s.failed(s.build(), 1, `no space left`)
	s.out = filepath.Join(s.dir, "roomy")
	s.mustBuild()

	s = newSite(t, options{images: []string{smallImage}})
	if err := s.mounted(s.cache, "lab", "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	s.failed(s.build(), 1, `no space left`, `--cache`)
}

// TestReadOnlyTarget: a stick with its write protection on.
func TestReadOnlyTarget(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}})
	if err := s.mounted(s.out, "lab", "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s.failed(s.build(), 1, `read-only file system`)
}

// TestFileSizeLimit: a target that takes no file over a limit, as FAT does at
// 4 GiB. The kernel's limit per process stands in for the file system's.
func TestFileSizeLimit(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}})
	if _, err := exec.LookPath("prlimit"); err != nil {
		missing(t, "prlimit is missing")
	}
	s.mustBuild("-o", filepath.Join(s.dir, "warm"))
	cmd := s.command(t.Context(), "build", "lab.yaml", "-o", s.out, "--progress", "plain")
	cmd.Path = "/usr/bin/prlimit"
	cmd.Args = append([]string{"prlimit", "--fsize=3000000", s.bundle}, cmd.Args[1:]...)
	s.failed(s.wait(cmd), 1, `file too large`, `--volume-size`)
}

// TestVolumes: what --volume-size writes is put together by cat.
func TestVolumes(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}})
	whole := s.mustBuild("-o", filepath.Join(s.dir, "whole"))
	if r := s.build("--volume-size", "2M"); r.code != 0 {
		t.Fatal(said(r.stderr))
	}
	var volumes []string
	for _, name := range entries(t, s.out) {
		if strings.Contains(name, ".zst.0") {
			volumes = append(volumes, filepath.Join(s.out, name))
		}
	}
	if len(volumes) < 3 {
		t.Fatalf("volumes: %v", volumes)
	}
	for _, v := range volumes {
		if info, err := os.Stat(v); err != nil || info.Size() > 2<<20 {
			t.Errorf("%s: %v, %v", v, info, err)
		}
	}
	s.toolIn(s.out, "sha256sum", "-c", filepath.Base(s.archive())+".sha256")
	joined := filepath.Join(s.dir, "joined")
	f, err := os.Create(joined)
	if err != nil {
		t.Fatal(err)
	}
	cat := exec.Command("cat", volumes...)
	cat.Stdout = f
	if err := cat.Run(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.tool("cmp", joined, filepath.Join(s.dir, "whole", filepath.Base(whole)))
	if r := s.run("verify", volumes[0]); r.code != 0 {
		t.Errorf("verify: exit code %d\n%s", r.code, said(r.stderr))
	}
}

// TestFAT builds onto a real FAT32 file system, where the kernel has one.
func TestFAT(t *testing.T) {
	s := newSite(t, options{images: []string{smallImage}})
	image := filepath.Join(s.dir, "fat.img")
	s.tool("truncate", "--size=256M", image)
	s.tool("mkfs.vfat", "-F", "32", image)
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", "-t", "vfat", image, s.out).CombinedOutput(); err != nil {
		t.Skipf("this kernel mounts no FAT: %s", strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() { s.on(t).tool("umount", s.out) })
	s.mustBuild()
	s.toolIn(s.out, "sha256sum", "-c", filepath.Base(s.archive())+".sha256")
}
