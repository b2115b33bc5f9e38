package lab

import (
	"path/filepath"
	"strings"
)

// dockerSpec is docker-ce 18.06.3 after docker's own spec file for centos-7
// (docker/docker-ce, components/packaging/rpm at 18.06.3), with Debian's docker.
func (p programs) dockerSpec() Spec {
	const unit = "docker.service"
	content := []RPMFile{
		executable("/usr/bin/docker-init", p.file("tini", "usr/bin/tini-static")),
		executable("/usr/bin/runc", p.file("runc", "usr/sbin/runc")),
		{Path: "/etc/udev/rules.d/80-docker.rules", Source: p.file("docker.io", "lib/udev/rules.d/80-docker.rules")},
		{Path: "/usr/lib/systemd/system/" + unit, Text: dockerUnit},
	}
	for _, from := range strings.Fields("docker.io/usr/bin/docker docker.io/usr/sbin/dockerd docker.io/usr/sbin/docker-proxy containerd/usr/bin/containerd " +
		"containerd/usr/bin/containerd-shim containerd/usr/bin/containerd-shim-runc-v1 containerd/usr/bin/containerd-shim-runc-v2 containerd/usr/bin/ctr") {
		deb, file, _ := strings.Cut(from, "/")
		content = append(content, executable("/usr/bin/"+filepath.Base(file), p.file(deb, file)))
	}
	const active = "/var/lib/rpm-state/docker-is-active"
	return native(Spec{Name: "docker-ce", Version: "18.06.3.ce", Release: "3.el7",
		Requires: []string{"/bin/sh", "container-selinux >= 2.9", "libseccomp >= 2.3", "iptables", "libcgroup", "systemd-units", "tar", "xz",
			"device-mapper-libs >= 1.02.90-1", "libc.so.6()(64bit)", "libdevmapper.so.1.02()(64bit)", "libltdl.so.7()(64bit)",
			"libseccomp.so.2()(64bit)", "libsystemd.so.0()(64bit)", "rtld(GNU_HASH)"},
		Conflicts: []string{"docker", "docker-io", "docker-engine-cs", "docker-ee"},
		Obsoletes: []string{"docker-ce-selinux", "docker-engine-selinux", "docker-engine"},
		Pre: "if [ $1 -gt 0 ] ; then\n\trm -f " + active + " > /dev/null 2>&1 || :\n\tif systemctl is-active docker > /dev/null 2>&1; then\n" +
			"\t\tsystemctl stop docker > /dev/null 2>&1 || :\n\t\ttouch " + active + " > /dev/null 2>&1 || :\n\tfi\nfi",
		Post:   systemdPost(unit) + "\nif ! getent group docker > /dev/null; then\n\tgroupadd --system docker\nfi",
		PreUn:  systemdPreUn(unit),
		PostUn: systemdPostUn(unit),
		PostTrans: "if [ $1 -ge 0 ] ; then\n\tif [ -f " + active + " ]; then\n\t\tsystemctl start docker > /dev/null 2>&1 || :\n" +
			"\t\trm -f " + active + " > /dev/null 2>&1 || :\n\tfi\nfi",
		Content: content})
}

// kubernetesSpecs are the packages of the kubernetes-el7 repository, after the
// spec files of March 2020 (kubernetes/release, cmd/kubepkg/templates/latest/rpm).
func (p programs) kubernetesSpecs() []Spec {
	kube := func(name string) RPMFile { return executable("/usr/bin/"+name, filepath.Join(p.kubernetes, name)) }
	plugins := []RPMFile{{Path: "/etc/cni/net.d"}}
	for _, plugin := range cniPlugins() {
		path, _, _ := strings.Cut(plugin, "@")
		name := filepath.Base(path)
		plugins = append(plugins, executable("/opt/cni/bin/"+name, filepath.Join(p.cni, name)))
	}
	return []Spec{
		native(Spec{Name: "kubeadm", Version: "1.17.4", Release: "0",
			Requires: []string{"kubelet >= 1.13.0", "kubectl >= 1.13.0", "kubernetes-cni >= 0.7.5", "cri-tools >= 1.13.0"},
			Content:  []RPMFile{kube("kubeadm"), {Path: "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", Text: kubeadmConf}}}),
		native(Spec{Name: "kubelet", Version: "1.17.4", Release: "0",
			Requires: []string{"iptables >= 1.4.21", "kubernetes-cni >= 0.7.5", "socat", "util-linux", "ethtool", "iproute", "ebtables", "conntrack"},
			Content: []RPMFile{kube("kubelet"), {Path: "/usr/lib/systemd/system/kubelet.service", Text: kubeletUnit},
				{Path: "/etc/sysconfig/kubelet", Text: "KUBELET_EXTRA_ARGS=\n", Config: true},
				{Path: "/etc/kubernetes/manifests"}, {Path: "/var/lib/kubelet"}}}),
		native(Spec{Name: "kubectl", Version: "1.17.4", Release: "0", Content: []RPMFile{kube("kubectl")}}),
		native(Spec{Name: "kubernetes-cni", Version: "0.8.7", Release: "0", Requires: []string{"kubelet"}, Content: plugins}),
		native(Spec{Name: "cri-tools", Version: "1.13.0", Release: "0",
			Content: []RPMFile{executable("/usr/bin/crictl", filepath.Join(p.crictl, "crictl"))}}),
	}
}

// The units and configuration that the packages bring. Where the text is not
// the real package's, a comment in it says so.
const (
	dockerUnit = `[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=network-online.target firewalld.service
Wants=network-online.target

[Service]
Type=notify
# the default is not to use systemd for cgroups because the delegate issues still
# exists and systemd currently does not support the cgroup feature set required
# for containers run by docker
ExecStart=/usr/bin/dockerd
ExecReload=/bin/kill -s HUP $MAINPID
# Having non-zero Limit*s causes performance problems due to accounting overhead
# in the kernel. We recommend using cgroups to do container-local accounting.
LimitNOFILE=infinity
LimitNPROC=infinity
LimitCORE=infinity
# Uncomment TasksMax if your systemd version supports it.
# Only systemd 226 and above support this version.
#TasksMax=infinity
TimeoutStartSec=0
# set delegate yes so that systemd does not reset the cgroups of docker containers
Delegate=yes
# kill only the docker process, not all processes in the cgroup
KillMode=process
# restart the docker process if it exits prematurely
Restart=on-failure
StartLimitBurst=3
StartLimitInterval=60s

[Install]
WantedBy=multi-user.target
`
	kubeletUnit = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`
	kubeadmConf = `# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# This is a file that "kubeadm init" and "kubeadm join" generates at runtime, populating the KUBELET_KUBEADM_ARGS variable dynamically
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# This is a file that the user can use for overrides of the kubelet args as a last resort. Preferably, the user should use
# the .NodeRegistration.KubeletExtraArgs object in the configuration files instead. KUBELET_EXTRA_ARGS should be sourced from this file.
EnvironmentFile=-/etc/sysconfig/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`
	chronyUnit = `[Unit]
Description=NTP client/server
Documentation=man:chronyd(8) man:chrony.conf(5)
After=ntpdate.service sntp.service ntpd.service
Conflicts=ntpd.service systemd-timesyncd.service
ConditionCapability=CAP_SYS_TIME

[Service]
Type=forking
PIDFile=/run/chrony/chronyd.pid
EnvironmentFile=-/etc/sysconfig/chronyd
# The lab's: Debian's program looks for another file and account by itself.
ExecStart=/usr/sbin/chronyd -f /etc/chrony.conf -u chrony $OPTIONS
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
`
	chronyOptions = `# Command-line options for chronyd
# The lab's: the clock is the machine's, which no host of the lab may set.
OPTIONS="-x"
`
	chronyConf = `# Use public servers from the pool.ntp.org project.
# Please consider joining the pool (http://www.pool.ntp.org/join.html).
server 0.centos.pool.ntp.org iburst
server 1.centos.pool.ntp.org iburst
server 2.centos.pool.ntp.org iburst
server 3.centos.pool.ntp.org iburst

# Record the rate at which the system clock gains/losses time.
driftfile /var/lib/chrony/drift

# Allow the system clock to be stepped in the first three updates
# if its offset is larger than 1 second.
makestep 1.0 3

# Enable kernel synchronization of the real-time clock (RTC).
rtcsync

# Specify directory for log files.
logdir /var/log/chrony
`
)
