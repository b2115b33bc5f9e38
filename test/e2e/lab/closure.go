package lab

// KubernetesSpecs are the packages of the kubernetes-el7 repository that the
// default profile asks for, with the relations of the real ones
// (kubernetes/release, cmd/kubepkg/templates/latest/rpm, March 2020).
func KubernetesSpecs() []Spec {
	binary := func(name string) map[string]string {
		return map[string]string{"/usr/bin/" + name: "#!/bin/sh\necho " + name}
	}
	plugins := map[string]string{"/opt/cni/bin/bridge": "#!/bin/sh", "/opt/cni/bin/loopback": "#!/bin/sh"}
	return []Spec{
		{Name: "kubeadm", Version: "1.17.4", Release: "0", Files: binary("kubeadm"),
			Requires: []string{"kubelet >= 1.13.0", "kubectl >= 1.13.0", "kubernetes-cni >= 0.7.5", "cri-tools >= 1.13.0"}},
		{Name: "kubelet", Version: "1.17.4", Release: "0", Files: binary("kubelet"),
			Requires: []string{"iptables >= 1.4.21", "kubernetes-cni >= 0.7.5", "socat", "util-linux", "ethtool", "iproute", "ebtables", "conntrack"}},
		{Name: "kubelet", Version: "1.18.0", Release: "0", Files: binary("kubelet"),
			Requires: []string{"iptables >= 1.4.21", "kubernetes-cni >= 0.7.5", "socat", "util-linux", "ethtool", "iproute", "ebtables", "conntrack"}},
		{Name: "kubectl", Version: "1.17.4", Release: "0", Files: binary("kubectl")},
		{Name: "cri-tools", Version: "1.13.0", Release: "0", Files: binary("crictl")},
		{Name: "kubernetes-cni", Version: "0.7.5", Release: "0", Requires: []string{"kubelet"}, Files: plugins},
		{Name: "kubernetes-cni", Version: "0.8.7", Release: "0", Requires: []string{"kubelet"}, Files: plugins},
	}
}

// DockerSpecs are docker-ce as docker's own spec for centos-7 has it (docker/docker-ce,
// components/packaging/rpm/centos-7/docker-ce.spec at 18.06.3), and a later one.
func DockerSpecs() []Spec {
	requires := []string{"/bin/sh", "container-selinux >= 2.9", "libseccomp >= 2.3", "iptables", "libcgroup",
		"systemd-units", "tar", "xz", "device-mapper-libs >= 1.02.90-1"}
	files := map[string]string{"/usr/bin/docker": "#!/bin/sh", "/usr/bin/dockerd": "#!/bin/sh",
		"/usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd"}
	return []Spec{
		{Name: "docker-ce", Version: "18.06.3.ce", Release: "3.el7", Requires: requires, Files: files,
			Conflicts: []string{"docker", "docker-io", "docker-engine-cs", "docker-ee"},
			Obsoletes: []string{"docker-ce-selinux", "docker-engine-selinux", "docker-engine"}},
		{Name: "docker-ce", Version: "18.06.2.ce", Release: "3.el7", Requires: requires, Files: files},
	}
}

// FillerSpecs stand in for the packages of CentOS 7 that the real RPMs of the
// shared data need and that are not among them; EVRs are CentOS 7.9's.
func FillerSpecs() []Spec {
	return []Spec{
		{Name: "glibc-common", Version: "2.17", Release: "325.el7_9", Provides: []string{"/usr/bin/locale"}},
		{Name: "binutils", Version: "2.27", Release: "44.base.el7_9.1", Files: map[string]string{"/usr/bin/nm": "#!/bin/sh"}},
		{Name: "python-libs", Version: "2.7.5", Release: "90.el7",
			Provides: []string{"python-libs(x86-64) = 2.7.5-90.el7", "libpython2.7.so.1.0()(64bit)"}},
		{Name: "tcp_wrappers-libs", Version: "7.6", Release: "77.el7", Provides: []string{"libwrap.so.0()(64bit)"}},
		{Name: "selinux-policy-targeted", Version: "3.13.1", Release: "268.el7_9.2", Arch: "noarch",
			Provides: []string{"selinux-policy-base = 3.13.1-268.el7_9.2"}, Requires: []string{"selinux-policy = 3.13.1-268.el7_9.2"}},
		{Name: "systemd", Version: "219", Release: "78.el7_9.3", Files: map[string]string{"/usr/bin/systemctl": "#!/bin/sh"},
			Provides: []string{"systemd-units = 219-78.el7_9.3"}, Requires: []string{"systemd-libs = 219-78.el7_9.3"}},
		{Name: "systemd-sysv", Version: "219", Release: "78.el7_9.3", Requires: []string{"systemd = 219-78.el7_9.3"}},
		{Name: "libtool-ltdl", Version: "2.4.2", Release: "22.el7_3", Provides: []string{"libltdl.so.7()(64bit)"}},
		{Name: "ethtool", Version: "4.8", Release: "10.el7", Epoch: "2", Files: map[string]string{"/usr/sbin/ethtool": "#!/bin/sh"}},
		{Name: "ipset-libs", Version: "7.1", Release: "1.el7"},
		{Name: "ipset", Version: "7.1", Release: "1.el7", Requires: []string{"ipset-libs(x86-64) = 7.1-1.el7"},
			Files: map[string]string{"/usr/sbin/ipset": "#!/bin/sh"}},
		{Name: "chrony", Version: "3.4", Release: "1.el7", Requires: []string{"systemd", "/bin/sh"},
			Files: map[string]string{"/usr/sbin/chronyd": "#!/bin/sh"}},
	}
}

// StandInSpecs stand in for the real RPMs where the shared data is absent: only
// the names that the made packages require, without their own closure.
func StandInSpecs() []Spec {
	stand := func(name, version, release string, provides ...string) Spec {
		return Spec{Name: name, Version: version, Release: release, Provides: provides}
	}
	bash := stand("bash", "4.2.46", "35.el7_9", "/bin/sh")
	mapper := stand("device-mapper-libs", "1.02.170", "6.el7_9.5")
	mapper.Epoch = "7"
	tar := stand("tar", "1.26", "35.el7")
	tar.Epoch = "2"
	policy := stand("container-selinux", "2.119.2", "1.911c772.el7_8")
	policy.Epoch, policy.Arch, policy.Requires = "2", "noarch", []string{"selinux-policy-targeted >= 3.13.1-216.el7"}
	selinux := stand("selinux-policy", "3.13.1", "268.el7_9.2")
	selinux.Arch = "noarch"
	return []Spec{bash, mapper, tar, policy, selinux,
		stand("systemd-libs", "219", "78.el7_9.3"), stand("libseccomp", "2.3.1", "4.el7"), stand("iptables", "1.4.21", "35.el7"),
		stand("libcgroup", "0.41", "21.el7"), stand("xz", "5.2.2", "1.el7"), stand("socat", "1.7.3.2", "2.el7"),
		stand("util-linux", "2.23.2", "65.el7_9.1"), stand("iproute", "4.11.0", "30.el7"), stand("ebtables", "2.0.10", "16.el7"),
		stand("conntrack-tools", "1.4.4", "7.el7", "conntrack = 1.4.4-7.el7"), stand("ipvsadm", "1.27", "8.el7")}
}
