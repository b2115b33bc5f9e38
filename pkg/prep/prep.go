// Package prep prepares a host for Kubernetes, one step a file, in the order of
// kubeadm's guide: names, firewall, SELinux, swap, kernel modules, sysctls, ipvs and
// time.
package prep

import (
	"net/netip"

	"kubecrate/pkg/step"
)

// Options say how a host is prepared.
type Options struct {
	Hostname string  // "" keeps the one it has
	Hosts    []Entry // names of the cluster's hosts, for /etc/hosts
	IPVS     bool    // kube-proxy will use ipvs
}

// Entry is a line of /etc/hosts.
type Entry struct {
	Address netip.Addr
	Names   []string
}

// Preparation returns one preparation step, nil for a host that does not need it.
type Preparation func(o Options) step.Step

// Preparations is a table of the preparations that need no package of the bundle, in
// order; nil is this version's, All. Time is separate: chrony may be one of the
// packages.
type Preparations []Preparation

// All returns the table of this version.
func All() Preparations {
	return Preparations{
		func(o Options) step.Step { return Hosts(o.Hostname, o.Hosts) },
		func(Options) step.Step { return Firewall() },
		func(Options) step.Step { return SELinux() },
		func(Options) step.Step { return Swap() },
		func(Options) step.Step { return Modules() },
		func(Options) step.Step { return Sysctl() },
		func(o Options) step.Step {
			if !o.IPVS {
				return nil
			}
			return IPVS()
		},
	}
}

// Steps returns the preparations of a host.
func (t Preparations) Steps(o Options) []step.Step {
	if t == nil {
		t = All()
	}
	var list []step.Step
	for _, make := range t {
		if s := make(o); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// Kinds returns the kinds of this package's steps and of those of t. The journal alone
// undoes this package's. All but Time, whose service may come with a package, are
// independent settings.
func (t Preparations) Kinds() step.Kinds {
	settings := step.Plain(append(t.Steps(Options{IPVS: true}), ServiceRoute(netip.Prefix{}, ""))...)
	return append(settings.Independent(), step.Plain(Time(Clock{}))...)
}
