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

// ClusterRepos are the repositories of the default profile with programs that
// work: the names, versions and requirements of CentOS 7's, docker's and
// Kubernetes' own packages, and in them Kubernetes built from its module and
// Debian's programs, which run on the lab's hosts. Base has BaseSpec, too. They
// are made and signed once and kept in the cache.
func (l *Lab) ClusterRepos(ctx context.Context) (*Repos, error) {
	p, err := l.programs(ctx)
	if err != nil {
		return nil, err
	}
	made := map[string][]Spec{
		RepoBase:       append(p.baseSpecs(), BaseSpec()),
		RepoUpdates:    nil,
		RepoExtras:     extrasSpecs(),
		RepoDocker:     {p.dockerSpec()},
		RepoKubernetes: p.kubernetesSpecs(),
	}
	h := sha256.New()
	for _, repo := range repoNames() {
		for _, s := range made[repo] {
			fmt.Fprintln(h, repo, s.text())
		}
	}
	root, err := l.once("repos-"+hex.EncodeToString(h.Sum(nil))[:12], func(dir string) error { return l.makeClusterRepos(ctx, dir, made) })
	if err != nil {
		return nil, err
	}
	fingerprint, err := os.ReadFile(filepath.Join(root, "fingerprint"))
	if err != nil {
		return nil, fmt.Errorf("cannot read whose key signed: %w", err)
	}
	signer := &Signer{Public: filepath.Join(root, "RPM-GPG-KEY"), Fingerprint: strings.TrimSpace(string(fingerprint))}
	return &Repos{Root: root, Signer: signer}, nil
}

func repoNames() []string {
	return []string{RepoBase, RepoUpdates, RepoExtras, RepoDocker, RepoKubernetes}
}

func (l *Lab) makeClusterRepos(ctx context.Context, root string, made map[string][]Spec) error {
	l.logf("building RPMs")
	signer, err := l.NewSigner(ctx, "cluster")
	if err != nil {
		return err
	}
	for _, repo := range repoNames() {
		dir := filepath.Join(root, repo)
		if err := l.BuildRPMs(ctx, dir, made[repo]...); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.rpm"))
		if err != nil {
			return fmt.Errorf("cannot list %s: %w", dir, err)
		}
		if len(files) > 0 {
			if err := signer.Sign(ctx, files...); err != nil {
				return err
			}
		}
		if err := CreateRepo(ctx, dir); err != nil {
			return err
		}
	}
	public, err := os.ReadFile(signer.Public)
	if err != nil {
		return fmt.Errorf("cannot keep the key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, "RPM-GPG-KEY"), public, 0o644); err != nil {
		return fmt.Errorf("cannot keep the key: %w", err)
	}
	return os.WriteFile(filepath.Join(root, "fingerprint"), []byte(signer.Fingerprint+"\n"), 0o644)
}

// BaseRPM builds the package of BaseSpec, or finds it in the cache, and returns
// its path.
func (l *Lab) BaseRPM(ctx context.Context) (string, error) {
	s := BaseSpec()
	sum := sha256.Sum256([]byte(s.text()))
	dir, err := l.once("base-"+hex.EncodeToString(sum[:6]), func(dir string) error { return l.BuildRPMs(ctx, dir, s) })
	return filepath.Join(dir, s.FileName()), err
}

// BaseSpec is the one package of a host's rpm database: it provides what Debian
// supplies in place of the packages of a minimal CentOS 7.9, under their names,
// versions and sonames, so that every requirement of a bundle's RPMs is resolved
// for real. Its presets are CentOS 7's: what is installed stays off, but chronyd.
func BaseSpec() Spec {
	s := Spec{Name: "lab-base", Version: "7", Release: "9.2009", Content: []RPMFile{
		{Path: "/usr/lib/systemd/system-preset/90-default.preset", Text: "enable chronyd.service\n"},
		{Path: "/usr/lib/systemd/system-preset/99-default-disable.preset", Text: "disable *\n"},
	}}
	s.Provides = []string{"/bin/sh", "/bin/bash", "/sbin/ldconfig", "/usr/bin/python", "python(abi) = 2.7", "rtld(GNU_HASH)",
		"system-release = 7-9.2009.1.el7.centos", "system-release(releasever) = 7", "systemd-units = 219-78.el7_9.9", "selinux-policy-base = 3.13.1-268.el7_9.2"}
	for _, p := range basePackages() {
		name, evr, _ := strings.Cut(p, " ")
		s.Provides = append(s.Provides, name+" = "+evr, name+"(x86-64) = "+evr)
	}
	for _, so := range strings.Fields(`ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libdl.so.2 librt.so.1 libpthread.so.0 libutil.so.1 libgcc_s.so.1
		libstdc++.so.6 libmnl.so.0 libnfnetlink.so.0 libnetfilter_conntrack.so.3 libcrypto.so.10 libssl.so.10 libreadline.so.6 libwrap.so.0
		libpopt.so.0 libsystemd.so.0 libdevmapper.so.1.02 libselinux.so.1 libsepol.so.1 libsemanage.so.1 libaudit.so.1 libauparse.so.0
		libcap-ng.so.0 libcap.so.2 libedit.so.0 libbz2.so.1 libxml2.so.2 libsqlite3.so.0 libpython2.7.so.1.0 libnss3.so libfreebl3.so`) {
		s.Provides = append(s.Provides, so+"()(64bit)")
	}
	for _, v := range strings.Fields("2.2.5 2.3 2.3.2 2.3.4 2.4 2.5 2.6 2.7 2.8 2.9 2.10 2.11 2.12 2.13 2.14 2.15 2.16 2.17") {
		s.Provides = append(s.Provides, "libc.so.6(GLIBC_"+v+")(64bit)")
	}
	return s
}

// basePackages are packages of a minimal CentOS 7.9 that others name, with epoch,
// version and release.
func basePackages() []string {
	return []string{"bash 4.2.46-35.el7_9", "coreutils 8.22-24.el7_9.2", "sed 4.2.2-7.el7", "glibc 2.17-326.el7_9", "centos-release 7-9.2009.1.el7.centos",
		"systemd 219-78.el7_9.9", "systemd-libs 219-78.el7_9.9", "systemd-sysv 219-78.el7_9.9", "chkconfig 1.7.6-1.el7", "kmod 20-28.el7",
		"iptables 1.4.21-35.el7", "iproute 4.11.0-30.el7", "util-linux 2.23.2-65.el7_9.1", "procps-ng 3.3.10-28.el7", "shadow-utils 2:4.6-5.el7",
		"tar 2:1.26-35.el7", "xz 5.2.2-2.el7_9", "device-mapper 7:1.02.170-6.el7_9.5", "device-mapper-libs 7:1.02.170-6.el7_9.5",
		"libselinux 2.5-15.el7", "libselinux-utils 2.5-15.el7", "libselinux-python 2.5-15.el7", "libsemanage 2.5-14.el7", "libsepol 2.5-10.el7",
		"policycoreutils 2.5-34.el7", "selinux-policy 3.13.1-268.el7_9.2", "selinux-policy-targeted 3.13.1-268.el7_9.2", "audit-libs 2.8.5-4.el7",
		"libmnl 1.0.3-7.el7", "libnfnetlink 1.0.1-4.el7", "libnetfilter_conntrack 1.0.6-1.el7_3", "sqlite 3.7.17-8.el7_7.1", "python 2.7.5-90.el7"}
}
