package lab

import (
	"path/filepath"
	"strings"
)

// file is a file of an unpacked Debian package; that of a link is its target.
func (p programs) file(deb, name string) string {
	found := filepath.Join(p.debs, deb, name)
	if target, err := filepath.EvalSymlinks(found); err == nil {
		return target
	}
	return found // rpmbuild says what is missing
}

// library puts a library of a Debian package where EL7 has it. The lab's hosts
// do not look there: they have their own.
func (p programs) library(deb, soname string) RPMFile {
	from := "usr/lib/x86_64-linux-gnu/" + soname
	if found, err := filepath.Glob(filepath.Join(p.debs, deb, "lib", "*", soname)); err == nil && len(found) == 1 {
		from = "lib/x86_64-linux-gnu/" + soname
	}
	return executable("/usr/lib64/"+soname, p.file(deb, from))
}

// withLibrary completes the recipe of a package that has libraries.
func withLibrary(s Spec, libraries ...RPMFile) Spec {
	s.Requires = append(s.Requires, "/sbin/ldconfig", "libc.so.6()(64bit)", "rtld(GNU_HASH)")
	s.Post, s.PostUn = "-p /sbin/ldconfig", "-p /sbin/ldconfig"
	for _, f := range libraries {
		s.Provides = append(s.Provides, filepath.Base(f.Path)+"()(64bit)")
	}
	s.Content = append(s.Content, libraries...)
	return native(s)
}

// native adds what rpmbuild provides for every package of one architecture.
func native(s Spec) Spec {
	evr := s.Version + "-" + s.Release
	if s.Epoch != "" {
		evr = s.Epoch + ":" + evr
	}
	s.Provides = append(s.Provides, s.Name+"(x86-64) = "+evr)
	return s
}

// baseSpecs are packages of CentOS 7.9's base: those of the default profile's
// closure that a minimal installation does not have.
func (p programs) baseSpecs() []Spec {
	library := func(name, version, release, deb string, sonames ...string) Spec {
		var files []RPMFile
		for _, so := range sonames {
			files = append(files, p.library(deb, so))
		}
		return withLibrary(Spec{Name: name, Version: version, Release: release}, files...)
	}
	nl := library("libnl3", "3.2.28", "4.el7", "libnl-3-200", "libnl-3.so.200")
	nl.Provides = append(nl.Provides, "libnl-genl-3.so.200()(64bit)")
	nl.Content = append(nl.Content, p.library("libnl-genl-3-200", "libnl-genl-3.so.200"))
	cgroup := library("libcgroup", "0.41", "21.el7", "libcgroup2", "libcgroup.so.2")
	cgroup.Requires = append(cgroup.Requires, "/bin/sh", "shadow-utils", "systemd")
	cgroup.Provides = append(cgroup.Provides, "libcgroup.so.1()(64bit)")
	cgroup.Pre = "getent group cgred >/dev/null || groupadd -r cgred"
	ipset := library("ipset-libs", "7.1", "1.el7", "libipset13", "libipset.so.13")
	ipset.Requires = append(ipset.Requires, "libmnl.so.0()(64bit)")
	return append(p.toolSpecs(), nl, cgroup, ipset,
		library("libseccomp", "2.3.1", "4.el7", "libseccomp2", "libseccomp.so.2"),
		library("libtool-ltdl", "2.4.2", "22.el7_3", "libltdl7", "libltdl.so.7"),
		library("libnetfilter_cthelper", "1.0.0", "11.el7", "libnetfilter-cthelper0", "libnetfilter_cthelper.so.0"),
		library("libnetfilter_cttimeout", "1.0.0", "7.el7", "libnetfilter-cttimeout1", "libnetfilter_cttimeout.so.1"),
		library("libnetfilter_queue", "1.0.2", "2.el7_2", "libnetfilter-queue1", "libnetfilter_queue.so.1"),
		// What container-selinux needs to load its policy: there is no SELinux in the lab, so these are names only.
		Spec{Name: "audit-libs-python", Version: "2.8.5", Release: "4.el7", Requires: []string{"audit-libs(x86-64) = 2.8.5-4.el7", "python(abi) = 2.7"}},
		Spec{Name: "checkpolicy", Version: "2.5", Release: "8.el7", Requires: []string{"libc.so.6()(64bit)"}},
		Spec{Name: "libsemanage-python", Version: "2.5", Release: "14.el7", Requires: []string{"libsemanage = 2.5-14.el7", "python(abi) = 2.7"}},
		Spec{Name: "python-IPy", Version: "0.75", Release: "6.el7", Arch: "noarch", Requires: []string{"python(abi) = 2.7"}},
		Spec{Name: "setools-libs", Version: "3.3.8", Release: "4.el7", Requires: []string{"libselinux >= 2.5-14.1", "libsepol >= 2.5-10", "sqlite >= 3.2.0"},
			Provides: []string{"libapol.so.4()(64bit)", "libqpol.so.1()(64bit)"}},
		Spec{Name: "policycoreutils-python", Version: "2.5", Release: "34.el7", Requires: []string{"policycoreutils = 2.5-34.el7",
			"libsemanage-python >= 2.5-14", "audit-libs-python >= 2.1.3-4", "libselinux-python", "python-IPy", "setools-libs >= 3.3.8-4", "checkpolicy",
			"libcgroup", "libapol.so.4()(64bit)", "libqpol.so.1()(64bit)"}})
}

// toolSpecs are the packages with programs that Kubernetes runs.
func (p programs) toolSpecs() []Spec {
	return []Spec{
		native(Spec{Name: "conntrack-tools", Version: "1.4.4", Release: "7.el7", Provides: []string{"conntrack = 1.0-1"},
			Requires: []string{"/bin/sh", "systemd", "libnetfilter_conntrack >= 1.0.6", "libmnl.so.0()(64bit)", "libnetfilter_conntrack.so.3()(64bit)",
				"libnfnetlink.so.0()(64bit)", "libnetfilter_cthelper.so.0()(64bit)", "libnetfilter_cttimeout.so.1()(64bit)", "libnetfilter_queue.so.1()(64bit)"},
			Content: []RPMFile{executable("/usr/sbin/conntrack", p.file("conntrack", "usr/sbin/conntrack")),
				executable("/usr/sbin/conntrackd", p.file("conntrackd", "usr/sbin/conntrackd"))}}),
		native(Spec{Name: "socat", Version: "1.7.3.2", Release: "2.el7",
			Requires: []string{"/bin/sh", "libcrypto.so.10()(64bit)", "libssl.so.10()(64bit)", "libreadline.so.6()(64bit)", "libwrap.so.0()(64bit)"},
			Content:  []RPMFile{executable("/usr/bin/socat", p.file("socat", "usr/bin/socat"))}}),
		// The kernel has no legacy ebtables, so this is the program of iptables that speaks to nf_tables.
		native(Spec{Name: "ebtables", Version: "2.0.10", Release: "16.el7", Requires: []string{"/bin/sh", "systemd", "libc.so.6()(64bit)"},
			Content: []RPMFile{executable("/usr/sbin/ebtables", p.file("iptables", "usr/sbin/xtables-nft-multi")),
				{Path: "/usr/sbin/ebtables-save", Link: "ebtables"}, {Path: "/usr/sbin/ebtables-restore", Link: "ebtables"}}}),
		native(Spec{Name: "ethtool", Version: "4.8", Release: "10.el7", Epoch: "2", Requires: []string{"libc.so.6()(64bit)", "libm.so.6()(64bit)"},
			Content: []RPMFile{executable("/usr/sbin/ethtool", p.file("ethtool", "sbin/ethtool"))}}),
		native(Spec{Name: "ipset", Version: "7.1", Release: "1.el7", Requires: []string{"ipset-libs(x86-64) = 7.1-1.el7", "libc.so.6()(64bit)"},
			Content: []RPMFile{executable("/usr/sbin/ipset", p.file("ipset", "usr/sbin/ipset"))}}),
		native(Spec{Name: "ipvsadm", Version: "1.27", Release: "8.el7", Requires: []string{"/bin/sh", "systemd", "systemd-sysv",
			"libnl-3.so.200()(64bit)", "libnl-genl-3.so.200()(64bit)", "libpopt.so.0()(64bit)"},
			Content: []RPMFile{executable("/usr/sbin/ipvsadm", p.file("ipvsadm", "sbin/ipvsadm"))}}),
		p.chronySpec(),
	}
}

// chronySpec is chrony as CentOS 7 has it, whose configuration and account have
// other names than Debian's.
func (p programs) chronySpec() Spec {
	const unit = "chronyd.service"
	return native(Spec{Name: "chrony", Version: "3.4", Release: "1.el7",
		Requires: []string{"/bin/sh", "/sbin/ldconfig", "shadow-utils", "systemd", "libc.so.6()(64bit)", "libcap.so.2()(64bit)",
			"libedit.so.0()(64bit)", "libseccomp.so.2()(64bit)", "libnss3.so()(64bit)", "libfreebl3.so()(64bit)"},
		Pre: "getent group chrony >/dev/null || groupadd -r chrony\n" +
			"getent passwd chrony >/dev/null || useradd -r -g chrony -d /var/lib/chrony -s /sbin/nologin chrony\n:",
		Post: systemdPost(unit), PreUn: systemdPreUn(unit), PostUn: systemdPostUn(unit),
		Content: []RPMFile{
			executable("/usr/sbin/chronyd", p.file("chrony", "usr/sbin/chronyd")),
			executable("/usr/bin/chronyc", p.file("chrony", "usr/bin/chronyc")),
			{Path: "/etc/chrony.conf", Text: chronyConf, Config: true},
			{Path: "/etc/chrony.keys", Text: "# See chrony.conf(5)\n", Mode: 0o640, Config: true},
			{Path: "/etc/sysconfig/chronyd", Text: chronyOptions, Config: true},
			{Path: "/usr/lib/systemd/system/" + unit, Text: chronyUnit},
			{Path: "/var/lib/chrony", Owner: "chrony"}, {Path: "/var/log/chrony", Owner: "chrony"},
		}})
}

// extrasSpecs are packages of CentOS 7.9's extras.
func extrasSpecs() []Spec {
	return []Spec{{Name: "container-selinux", Version: "2.119.2", Release: "1.911c772.el7_8", Epoch: "2", Arch: "noarch",
		Requires: strings.Split("/bin/sh,libselinux-utils,policycoreutils >= 2.5-11,policycoreutils-python,sed,selinux-policy >= 3.13.1-216.el7,"+
			"selinux-policy-base >= 3.13.1-216.el7,selinux-policy-targeted >= 3.13.1-216.el7", ","),
		Provides: []string{"docker-selinux = 2:2.119.2-1.911c772.el7_8"}}}
}
