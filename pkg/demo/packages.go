package demo

import (
	"fmt"
	"strings"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/rpm/rpmtest"
)

// demoPackage is one RPM of the demo's repositories: the names, versions and
// relations of the real one, with a few made-up files inside.
type demoPackage struct {
	repo     string
	nevra    string
	requires string // comma-separated relations
	provides string
	payload  int // bytes of incompressible content
}

const kB = 1000

// packages is the closure of the default profile, with what surrounds it.
// Versions and relations are those of the real packages.
func packages() []demoPackage {
	return []demoPackage{
		{"docker-ce", "docker-ce-18.06.3.ce-3.el7.x86_64", "container-selinux >= 2.9, libseccomp >= 2.3, libcgroup, iptables, libltdl.so.7()(64bit), tar, xz, /bin/sh", "", 900 * kB},
		{"docker-ce", "docker-ce-18.06.1.ce-3.el7.x86_64", "container-selinux >= 2.9, libcgroup", "", kB},
		{"docker-ce", "docker-ce-18.09.9-3.el7.x86_64", "container-selinux >= 2.9, docker-ce-cli", "", kB},
		{"docker-ce", "containerd.io-1.2.13-3.2.el7.x86_64", "container-selinux >= 2.74, libseccomp", "", 400 * kB},
		{"kubernetes", "kubeadm-1.17.4-0.x86_64", "kubelet >= 1.13.0, kubectl >= 1.13.0, kubernetes-cni >= 0.7.5, cri-tools >= 1.13.0", "", 300 * kB},
		{"kubernetes", "kubelet-1.17.4-0.x86_64", "iptables >= 1.4.21, kubernetes-cni >= 0.7.5, socat, util-linux, ethtool, iproute, ebtables, conntrack", "", 600 * kB},
		{"kubernetes", "kubectl-1.17.4-0.x86_64", "", "", 300 * kB},
		{"kubernetes", "kubeadm-1.18.2-0.x86_64", "kubelet >= 1.13.0, kubectl >= 1.13.0, kubernetes-cni >= 0.7.5, cri-tools >= 1.13.0", "", kB},
		{"kubernetes", "kubelet-1.18.2-0.x86_64", "kubernetes-cni >= 0.7.5", "", kB},
		{"kubernetes", "kubectl-1.18.2-0.x86_64", "", "", kB},
		{"kubernetes", "kubernetes-cni-0.8.7-0.x86_64", "kubelet", "", 200 * kB},
		{"kubernetes", "cri-tools-1.13.0-0.x86_64", "", "", 200 * kB},
		{"base", "conntrack-tools-1.4.4-7.el7.x86_64", "libnetfilter_cthelper.so.0()(64bit), libnetfilter_cttimeout.so.1()(64bit), libnetfilter_queue.so.1()(64bit)", "conntrack = 1.0-1.el7", 40 * kB},
		{"base", "libnetfilter_cthelper-1.0.0-11.el7.x86_64", "", "libnetfilter_cthelper.so.0()(64bit)", 4 * kB},
		{"base", "libnetfilter_cttimeout-1.0.0-7.el7.x86_64", "", "libnetfilter_cttimeout.so.1()(64bit)", 4 * kB},
		{"base", "libnetfilter_queue-1.0.2-2.el7_2.x86_64", "", "libnetfilter_queue.so.1()(64bit)", 4 * kB},
		{"base", "socat-1.7.3.2-2.el7.x86_64", "", "", 60 * kB},
		{"base", "ebtables-2.0.10-16.el7.x86_64", "", "", 30 * kB},
		{"base", "ethtool-4.8-10.el7.x86_64", "", "", 30 * kB},
		{"base", "ipset-7.1-1.el7.x86_64", "ipset-libs = 7.1-1.el7", "", 10 * kB},
		{"base", "ipset-libs-7.1-1.el7.x86_64", "", "", 20 * kB},
		{"base", "ipvsadm-1.27-8.el7.x86_64", "", "", 12 * kB},
		{"base", "chrony-3.4-1.el7.x86_64", "libseccomp.so.2()(64bit)", "", 60 * kB},
		{"base", "libseccomp-2.3.1-4.el7.x86_64", "", "libseccomp.so.2()(64bit)", 14 * kB},
		{"base", "libcgroup-0.41-21.el7.x86_64", "", "", 16 * kB},
		{"base", "libtool-ltdl-2.4.2-22.el7_3.x86_64", "", "libltdl.so.7()(64bit)", 12 * kB},
		{"base", "policycoreutils-2.5-34.el7.x86_64", "", "", 60 * kB},
		{"base", "policycoreutils-python-2.5-34.el7.x86_64", "policycoreutils = 2.5-34.el7, setools-libs >= 3.3.8-4, libsemanage-python >= 2.5-14, audit-libs-python >= 2.1.3-4, python-IPy, checkpolicy", "", 40 * kB},
		{"base", "setools-libs-3.3.8-4.el7.x86_64", "", "", 60 * kB},
		{"base", "libsemanage-python-2.5-14.el7.x86_64", "", "", 12 * kB},
		{"base", "audit-libs-python-2.8.5-4.el7.x86_64", "audit-libs(x86-64) = 2.8.5-4.el7", "", 8 * kB},
		{"base", "audit-libs-2.8.5-4.el7.x86_64", "", "audit-libs(x86-64) = 2.8.5-4.el7", 10 * kB},
		{"base", "audit-2.8.5-4.el7.x86_64", "audit-libs(x86-64) = 2.8.5-4.el7", "", 25 * kB},
		{"base", "python-IPy-0.75-6.el7.noarch", "", "", 4 * kB},
		{"base", "checkpolicy-2.5-8.el7.x86_64", "", "", 30 * kB},
		{"base", "bash-4.2.46-34.el7.x86_64", "", "/bin/sh", 20 * kB},
		{"base", "iptables-1.4.21-35.el7.x86_64", "", "", 40 * kB},
		{"base", "iproute-4.11.0-30.el7.x86_64", "", "", 80 * kB},
		{"base", "util-linux-2.23.2-65.el7.x86_64", "", "", 200 * kB},
		{"base", "tar-1.26-35.el7.x86_64", "", "", 84 * kB},
		{"base", "xz-5.2.2-1.el7.x86_64", "", "", 22 * kB},
		{"extras", "container-selinux-2:2.119.2-1.911c772.el7_8.noarch", "policycoreutils-python", "", 4 * kB},
		{"updates", "policycoreutils-2.5-33.el7.x86_64", "", "", 60 * kB},
	}
}

// build makes the signed RPM.
func (p demoPackage) build(signer *rpmtest.Signer) (nevra.NEVRA, []byte, error) {
	n, err := nevra.Parse(p.nevra)
	if err != nil {
		return n, nil, err
	}
	data, err := rpmtest.Build(rpmtest.Spec{
		Name: n.Name, Epoch: n.Epoch, Version: n.Version, Release: n.Release, Arch: n.Arch,
		Summary:  n.Name + " as the demo carries it",
		Requires: relations(p.requires), Provides: relations(p.provides),
		Files:   map[string][]byte{"/usr/share/doc/" + n.Name + "/README": []byte("made by bundle demo\n")},
		Payload: p.payload,
	}, signer)
	if err != nil {
		return n, nil, fmt.Errorf("cannot create the demo's %s: %w", p.nevra, err)
	}
	return n, data, nil
}

// relations reads "a, b >= 1:2-3"; the table above is the only input.
func relations(text string) []nevra.Relation {
	ops := map[string]nevra.Op{"<": nevra.LT, "<=": nevra.LE, "=": nevra.EQ, ">=": nevra.GE, ">": nevra.GT}
	var list []nevra.Relation
	for part := range strings.SplitSeq(text, ",") {
		const versioned = 3
		switch f := strings.Fields(part); len(f) {
		case 1:
			list = append(list, nevra.Relation{Name: f[0]})
		case versioned:
			list = append(list, nevra.Relation{Name: f[0], Op: ops[f[1]], EVR: nevra.ParseEVR(f[2])})
		}
	}
	return list
}
