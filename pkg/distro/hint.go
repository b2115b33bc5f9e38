package distro

import (
	"slices"
	"strings"
)

// brought names the package of a bundle that has a program, or a runtime.
func (d Distro) brought() map[string]string {
	names := map[string]string{
		"kubeadm": "kubeadm", "kubectl": "kubectl", "kubelet": "kubelet",
		"chronyd": "chrony", "crictl": "cri-tools",
	}
	for _, r := range d.runtimes.Names() {
		names[r] = d.runtimes.About(r).Packages[0]
	}
	return names
}

// providers names the packages of EL whose program the installation runs or
// Kubernetes needs.
func providers() map[string]string {
	return map[string]string{
		"conntrack": "conntrack-tools", "ebtables": "ebtables", "ethtool": "ethtool", "ip": "iproute", "iptables": "iptables",
		"modprobe": "kmod", "mount": "util-linux", "nsenter": "util-linux", "rpm": "rpm", "socat": "socat", "sysctl": "procps-ng", "tc": "iproute",
	}
}

// InstallHint is software.Hints': from the bundle's repository alone. A program
// whose package is not known is found by its file.
func (d Distro) InstallHint(programs ...string) string {
	var names []string
	for _, p := range programs {
		name := d.brought()[p]
		if name == "" {
			name = "'*bin/" + p + "'"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return d.manager + " --disablerepo='*' --enablerepo=" + repoID + " install " + strings.Join(names, " ")
}

// removal is the command that takes packages off a host, as the operator types
// it: it needs no repository.
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

// doublesHint is what removes builds that stand beside a newer one.
func (d Distro) doublesHint() string {
	if d.manager == "yum" {
		return "yum-complete-transaction or package-cleanup --cleandupes (of yum-utils) fix that"
	}
	return d.manager + " --disablerepo='*' remove --duplicates fixes that"
}
