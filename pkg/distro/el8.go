package distro

import "kubecrate/pkg/software"

// el8 is release 8.
func el8() Distro {
	return Distro{name: "el8", manager: "dnf", major: 8, cgroups: software.CgroupsV1First, modular: true}
}
