package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rootPackages are added to debootstrap's minbase, so that the root is like the
// base of kube-proxy's and flannel's images.
const rootPackages = "ca-certificates,iproute2,iptables,kmod,conntrack,ipset,systemd,python3,git"

// Root is a tar of a Debian root made by debootstrap, which needs root and the
// mirror that apt uses. It is made once and kept in the cache.
func (l *Lab) Root(ctx context.Context) (string, error) {
	path := filepath.Join(l.Cache, "root-bookworm-2.tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, l.debianRoot(ctx, path, rootPackages)
}

// debianRoot makes a tar of debootstrap's minbase and more packages, without
// the folders that without names.
func (l *Lab) debianRoot(ctx context.Context, path, packages string, without ...string) error {
	mirror, err := debianMirror(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(l.Cache, "root-")
	if err != nil {
		return fmt.Errorf("cannot make a Debian root: %w", err)
	}
	l.OnClose(func() error { return os.RemoveAll(dir) })
	l.logf("debootstrap of bookworm from apt's mirror")
	_, err = Run(ctx, "debootstrap", "--variant=minbase", "--include="+packages, "bookworm", dir, mirror)
	if err != nil {
		return fmt.Errorf("cannot make a Debian root: %w", err)
	}
	argv := []string{"tar", "-C", dir, "--sort=name", "--numeric-owner", "--one-file-system"}
	for _, name := range append([]string{"proc", "sys", "dev", "var/cache/apt"}, without...) {
		argv = append(argv, "--exclude=./"+name+"/*")
	}
	if _, err = Run(ctx, append(argv, "--transform=s,^\\./,,", "-cf", path+".part", ".")...); err != nil {
		return fmt.Errorf("cannot pack the Debian root: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("cannot keep the Debian root: %w", err)
	}
	return nil
}

// debianMirror is where apt gets bookworm's main from.
func debianMirror(ctx context.Context) (string, error) {
	out, err := Run(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages")
	if err != nil {
		return "", fmt.Errorf("cannot find apt's mirror: %w", err)
	}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == "bookworm" && f[2] == "main" {
			return f[0], nil
		}
	}
	return "", fmt.Errorf("cannot find apt's mirror: apt has no source for bookworm main; look at /etc/apt/sources.list")
}
