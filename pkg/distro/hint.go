package distro

import (
	"slices"
	"strings"
)

// bundled maps programs and runtimes to the package of a bundle that provides them.
func (d Distro) bundled() map[string]string {
	names := map[string]string{
		"kubeadm": "kubeadm", "kubectl": "kubectl", "kubelet": "kubelet",
		"chronyd": "chrony", "crictl": "cri-tools",
	}
	for _, r := range d.runtimes.Names() {
		names[r] = d.runtimes.About(r).Packages[0]
	}
	return names
}

// providers maps programs that the installation or Kubernetes needs to the package of
// EL that provides them.
func providers() map[string]string {
	return map[string]string{
		"conntrack": "conntrack-tools", "ebtables": "ebtables", "ethtool": "ethtool", "ip": "iproute", "iptables": "iptables",
		"modprobe": "kmod", "mount": "util-linux", "nsenter": "util-linux", "rpm": "rpm", "socat": "socat", "sysctl": "procps-ng", "tc": "iproute",
	}
}

// InstallHint is software.Hints': from the bundle's repository only. The package of an
// unknown program is found by its file.
func (d Distro) InstallHint(programs ...string) string {
	var names []string
	for _, p := range programs {
		name := d.bundled()[p]
		if name == "" {
			name = "'*bin/" + p + "'"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return d.manager + " --disablerepo='*' --enablerepo=" + repoID + " install " + strings.Join(names, " ")
}

// removal is the command that removes packages, as the operator types it: it needs no
// repository.
func (d Distro) removal(names ...string) string {
	return d.manager + " --disablerepo='*' remove " + strings.Join(names, " ")
}

// FreeHint is software.Hints'.
func (d Distro) FreeHint() string { return d.manager + " clean all" }

// Provider is software.Hints'.
func (d Distro) Provider(program string) string {
	if name := providers()[program]; name != "" {
		return name
	}
	return program
}

// MediumHint is software.Hints'.
func (Distro) MediumHint(provider string) string {
	return "from the installation medium: rpm -i " + provider + "-*.rpm"
}

// duplicatesHint is the command that removes builds beside a newer one.
func (d Distro) duplicatesHint() string {
	if d.manager == "yum" {
		return "yum-complete-transaction or package-cleanup --cleandupes (of yum-utils) removes it"
	}
	return d.manager + " --disablerepo='*' remove --duplicates removes it"
}
