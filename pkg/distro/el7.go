package distro

import "kubecrate/pkg/software"

// el7 is CentOS 7 and its rebuilds. Kubernetes requires 7.5: older kernels lack what
// overlay2 and pod networks need.
func el7() Distro {
	return Distro{name: "el7", manager: "yum", major: 7, minor: 5, cgroups: software.CgroupsV1Only}
}
