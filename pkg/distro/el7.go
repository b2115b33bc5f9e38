package distro

import "kubecrate/pkg/software"

// el7 is CentOS 7 and what is built of the same sources. Kubernetes asks for
// 7.5: before it the kernel lacks what overlay2 and the network need.
func el7() Distro {
	return Distro{name: "el7", manager: "yum", major: 7, minor: 5, cgroups: software.CgroupsV1Only}
}
