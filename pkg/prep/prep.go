// Package prep prepares a host for Kubernetes, one step a file, in the order of
// the guide of kubeadm: names, firewall, SELinux, swap, kernel modules, sysctls,
// ipvs and time.
package prep

import (
	"net/netip"

	"kubecrate/pkg/step"
)

// Options say how a host is prepared.
type Options struct {
	Hostname string  // "" keeps the one it has
	Hosts    []Entry // names of the cluster's hosts, for /etc/hosts
	IPVS     bool    // kube-proxy is to use ipvs
}

// Entry is a line of /etc/hosts.
type Entry struct {
	Address netip.Addr
	Names   []string
}

// Steps are the preparations that need no package of the bundle, in order. Time
// is apart: chrony may be among the packages.
func Steps(o Options) []step.Step {
	list := []step.Step{
		Hosts(o.Hostname, o.Hosts),
		Firewall(),
		SELinux(),
		Swap(),
		Modules(),
		Sysctl(),
	}
	if o.IPVS {
		list = append(list, IPVS())
	}
	return list
}

// Kinds are the kinds of this package's steps. The journal alone undoes them.
func Kinds() step.Kinds {
	return step.Plain(append(Steps(Options{IPVS: true}), ServiceRoute(netip.Prefix{}, ""), Time(Clock{}))...)
}
