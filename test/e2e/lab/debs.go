package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// debNames are the Debian packages whose programs the RPMs and the images of a
// cluster hold, and the libraries of those in images (a host has its own).
func debNames() []string {
	return []string{
		// of RPMs
		"docker.io", "containerd", "runc", "tini", "conntrack", "conntrackd", "socat", "ethtool", "ipset", "ipvsadm", "chrony",
		"libseccomp2", "libcgroup2", "libltdl7", "libnl-3-200", "libnl-genl-3-200", "libnetfilter-cthelper0", "libnetfilter-cttimeout1",
		"libnetfilter-queue1", "libipset13", "libwrap0",
		// of images
		"busybox", "libc6", "etcd-server", "etcd-client", "nginx", "nginx-common", "libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g",
		"iptables", "iproute2", "kmod", "netbase", "libxtables12", "libip4tc2", "libip6tc2", "libmnl0", "libnftnl11", "libnfnetlink0",
		"libnetfilter-conntrack3", "libzstd1", "liblzma5", "libbpf1", "libelf1", "libbsd0", "libmd0", "libcap2", "libselinux1",
	}
}

// debs downloads Debian packages from where apt gets them and unpacks each into
// a folder of its name. The folder of the folders is kept in the cache; lists
// and archives of the machine's own apt are left alone.
func (l *Lab) debs(ctx context.Context) (string, error) {
	sum := sha256.Sum256([]byte(strings.Join(debNames(), " ")))
	return l.once("debs-bookworm-"+hex.EncodeToString(sum[:6]), func(dir string) error {
		l.logf("downloading %d Debian packages", len(debNames()))
		if err := l.unpackDebs(ctx, dir); err != nil {
			return fmt.Errorf("cannot fetch Debian packages: %w", err)
		}
		return nil
	})
}

func (l *Lab) unpackDebs(ctx context.Context, dir string) error {
	state := filepath.Join(l.Dir, "apt")
	archives := filepath.Join(state, "debs")
	for _, d := range []string{filepath.Join(state, "lists", "partial"), filepath.Join(state, "cache"), archives} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	apt := []string{"apt-get", "-qq", "-o", "Dir::State::Lists=" + filepath.Join(state, "lists"), "-o", "Dir::Cache=" + filepath.Join(state, "cache"),
		"-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"}
	if _, err := Run(ctx, append(apt, "update")...); err != nil {
		return err
	}
	if _, err := RunIn(ctx, archives, nil, append(append(apt, "download"), debNames()...)...); err != nil {
		return err
	}
	for _, name := range debNames() {
		found, err := filepath.Glob(filepath.Join(archives, name+"_*.deb"))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("apt-get download left %d archives of %s", len(found), name)
		}
		if _, err := Run(ctx, "dpkg", "--extract", found[0], filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.RemoveAll(state)
}

// debTrees are the folders that Debian packages put into an image, as Files
// takes them: programs, libraries and configuration, in a root in which /bin,
// /lib, /lib64 and /sbin are links to those in /usr.
func debTrees(debs string, names ...string) [][2]string {
	var trees [][2]string
	for _, name := range names {
		for _, tree := range []string{"bin", "sbin", "lib", "lib64", "usr/bin", "usr/sbin", "usr/lib", "etc"} {
			from := filepath.Join(debs, name, tree)
			if _, err := os.Stat(from); err != nil {
				continue // not every package has each
			}
			to := tree
			if !strings.HasPrefix(tree, "usr/") && tree != "etc" {
				to = "usr/" + tree
			}
			trees = append(trees, [2]string{to, from})
		}
	}
	return trees
}
