package host

import "strings"

// environ is the environment of every program that is run: a fixed one, with
// nothing of own, this process's, but the terminal's kind. What else an operator
// has set would change what the programs do, and differently on each host: a
// proxy sends kubeadm's requests to the cluster elsewhere, and is written into
// the control plane; KUBECONFIG, DOCKER_HOST, CONTAINERD_ADDRESS and ETCDCTL_*
// lead to another cluster or runtime, LANG and LC_* turn what is parsed into
// another language, LD_*, PYTHON* and RPM_* load other code.
func environ(own []string) []string {
	list := []string{
		"PATH=" + searchPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "LANG=C", "LC_ALL=C",
	}
	for _, pair := range own {
		if strings.HasPrefix(pair, "TERM=") {
			list = append(list, pair)
		}
	}
	return list
}
