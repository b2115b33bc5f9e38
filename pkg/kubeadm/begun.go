package kubeadm

import "kubecrate/pkg/host"

// Begun says whether install began to make this host a part of a cluster.
func Begun(h *host.Host) (bool, error) {
	m, err := readRecord(h)
	return m != nil, err
}
