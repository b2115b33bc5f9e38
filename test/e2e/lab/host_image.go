package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// hostFiles make of a Debian root a host that passes for CentOS 7: a Dockerfile
// and what it copies.
//
//go:embed all:host
var hostFiles embed.FS

// hostPackages are added to debootstrap's minbase: what CentOS 7 minimal has in
// its place, and the libraries of what the RPMs of a bundle bring (docker, socat,
// conntrack, ebtables, ethtool, ipset, ipvsadm, chrony), but none of these.
func hostPackages() []string {
	return []string{"systemd", "systemd-sysv", "dbus", "iproute2", "iptables", "kmod", "procps", "e2fsprogs", "less", "sudo",
		"curl", "iputils-ping", "selinux-utils", "rpm", "dnf", "xz-utils",
		"libseccomp2", "libdevmapper1.02.1", "libipset13", "libnl-3-200", "libnl-genl-3-200", "libmnl0", "libwrap0", "libedit2",
		"libreadline8", "libnetfilter-conntrack3", "libnetfilter-cttimeout1", "libnetfilter-cthelper0", "libnetfilter-queue1"}
}

// hostWithout are folders that no host needs and whose bytes every run would copy.
func hostWithout() []string {
	return []string{"var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"}
}

// hostRoot is a tar of the Debian root beneath the hosts. It is made once and
// kept in the cache under a name that changes with what is in it.
func (l *Lab) hostRoot(ctx context.Context) (string, error) {
	packages := strings.Join(hostPackages(), ",")
	sum := sha256.Sum256(fmt.Append(nil, packages, hostWithout()))
	path := filepath.Join(l.Cache, "host-bookworm-"+hex.EncodeToString(sum[:6])+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, l.debianRoot(ctx, path, packages, hostWithout()...)
}

// hostContext fills dir with what docker build needs for the image of a host.
func (l *Lab) hostContext(ctx context.Context, dir, baseRPM string) error {
	files, err := fs.Sub(hostFiles, "host")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	// Embedded files have no modes of their own.
	for _, name := range []string{"setup", "root/usr/local/sbin/lab-init", "root/usr/local/sbin/lab-start"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	rpm, err := os.ReadFile(baseRPM)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "base.rpm"), rpm, 0o644); err != nil {
		return err
	}
	return l.runcwrap(ctx, filepath.Join(dir, "lab-runc"))
}

// runcwrap builds the runtime of the outer and, under the name lab, of the
// hosts' own dockerd. The current directory is one of this module.
func (l *Lab) runcwrap(ctx context.Context, out string) error {
	_, err := RunIn(ctx, "", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "kubecrate/test/e2e/runcwrap")
	return err
}

// hostImage makes the image lab-host in d. baseRPM is the path of the package
// that provides what Debian has in place of CentOS's packages.
func (l *Lab) hostImage(ctx context.Context, d *Docker, baseRPM string) error {
	root, err := l.hostRoot(ctx)
	if err != nil {
		return err
	}
	if _, err := d.Run(ctx, "import", root, "lab-root"); err != nil {
		return fmt.Errorf("cannot make the image of a host: %w", err)
	}
	dir, err := os.MkdirTemp(l.Dir, "host-")
	if err != nil {
		return fmt.Errorf("cannot make the image of a host: %w", err)
	}
	if err := l.hostContext(ctx, dir, baseRPM); err != nil {
		return fmt.Errorf("cannot make the image of a host: %w", err)
	}
	if _, err := d.Run(ctx, "build", "--network", "none", "--tag", "lab-host", dir); err != nil {
		return fmt.Errorf("cannot make the image of a host: %w", err)
	}
	return nil
}
