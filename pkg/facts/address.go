package facts

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// Flag is the flag that names the address.
const Flag = "--advertise-address"

// candidate is an address by which others may know this host.
type candidate struct {
	iface   string
	address Address
}

// global are the addresses of global scope on interfaces that lead out of the host.
func (f *Facts) global() []candidate {
	var list []candidate
	for _, i := range f.Interfaces {
		if f.Virtual(i.Name) {
			continue
		}
		for _, a := range i.Addresses {
			if a.Scope == "global" {
				list = append(list, candidate{i.Name, a})
			}
		}
	}
	return list
}

// Self is the host of cluster that this one is: told by its address, or else by
// its hardware address, or else by its name; nil where cluster does not list it.
// An error is a list in which more than one host could be this one.
func Self(f *Facts, cluster *manifest.Cluster) (*manifest.Host, error) {
	mine := f.Addresses()
	byAddress := hosts(cluster, func(h manifest.Host) bool {
		a, err := netip.ParseAddr(h.Address)
		return err == nil && slices.Contains(mine, a)
	})
	macs := f.MACs()
	byMAC := hosts(cluster, func(h manifest.Host) bool {
		hw, err := net.ParseMAC(h.MAC)
		return err == nil && slices.Contains(macs, hw.String())
	})
	name := strings.ToLower(f.Hostname)
	short, _, _ := strings.Cut(name, ".")
	byName := hosts(cluster, func(h manifest.Host) bool {
		return h.Name == name || slices.Contains(h.Aliases, name) || short != "localhost" && h.Name == short
	})
	for _, found := range [][]manifest.Host{byAddress, byMAC, byName} {
		switch len(found) {
		case 0:
			continue
		case 1:
			return &found[0], nil
		}
		both := byBoth(found, byName)
		if both != nil {
			return both, nil
		}
		return nil, hint.With(fmt.Errorf("cannot determine which host of the cluster this is: it could be %s", names(found)),
			"correct the hosts in cluster.yaml or --hosts: each address must belong to one host")
	}
	return nil, nil
}

// byBoth is the one host that is in both lists.
func byBoth(a, b []manifest.Host) *manifest.Host {
	var both []manifest.Host
	for _, h := range a {
		if slices.ContainsFunc(b, func(o manifest.Host) bool { return o.Name == h.Name }) {
			both = append(both, h)
		}
	}
	if len(both) != 1 {
		return nil
	}
	return &both[0]
}

func hosts(cluster *manifest.Cluster, is func(manifest.Host) bool) []manifest.Host {
	if cluster == nil {
		return nil
	}
	var found []manifest.Host
	for _, h := range cluster.Hosts {
		if is(h) {
			found = append(found, h)
		}
	}
	return found
}

func names(hosts []manifest.Host) string {
	var list []string
	for _, h := range hosts {
		list = append(list, fmt.Sprintf("%s (%s)", h.Name, h.Address))
	}
	return strings.Join(list, " or ")
}

// AddressOf is the IPv4 address by which the cluster knows this host, and the
// interface that has it: the one that flag names; or that of the host's entry in
// cluster; or the one address on the interface of the default route. Where none
// of them tells, the error's hint has the flag with the addresses to choose from.
func AddressOf(f *Facts, cluster *manifest.Cluster, flag string) (netip.Addr, string, error) {
	if flag != "" {
		return f.named(flag, Flag)
	}
	self, err := Self(f, cluster)
	if err != nil {
		return netip.Addr{}, "", err
	}
	if self != nil {
		a, iface, err := f.named(self.Address, "the address of "+self.Name+" in the cluster's host list")
		if err != nil || self.Interface == "" || self.Interface == iface {
			return a, iface, err
		}
		return netip.Addr{}, "", hint.With(fmt.Errorf("in the cluster's host list, %s has %s on %s, but it is on %s", self.Name, a, self.Interface, iface),
			"correct hosts[].interface in cluster.yaml: %s", iface)
	}
	return f.routed()
}

// named finds an address that was given; where says by what.
func (f *Facts) named(word, where string) (netip.Addr, string, error) {
	a, err := netip.ParseAddr(word)
	if err != nil || !a.Is4() {
		return netip.Addr{}, "", hint.With(fmt.Errorf("%s is %q, not an IPv4 address", where, word), "%s", f.choice())
	}
	for _, i := range f.Interfaces {
		for _, own := range i.Addresses {
			if own.Prefix.Addr() == a && own.Scope != "host" {
				return a, i.Name, nil
			}
		}
	}
	return netip.Addr{}, "", hint.With(fmt.Errorf("%s is %s, but no interface of this host has that address", where, a), "%s", f.choice())
}

// routed is the address that the default route tells.
func (f *Facts) routed() (netip.Addr, string, error) {
	route, ok := f.DefaultRoute()
	if !ok {
		return netip.Addr{}, "", hint.With(errors.New("this host has no default route, so its address in the cluster cannot be determined"), "%s", f.choice())
	}
	var own []candidate
	for _, c := range f.global() {
		if c.iface == route.Interface && !c.address.Secondary {
			own = append(own, c)
		}
	}
	if len(own) > 1 && route.Gateway.IsValid() {
		// What the kernel itself sends from: the address in the gateway's network.
		own = slices.DeleteFunc(own, func(c candidate) bool { return !c.address.Prefix.Contains(route.Gateway) })
	}
	if len(own) == 1 {
		return own[0].address.Prefix.Addr(), route.Interface, nil
	}
	return netip.Addr{}, "", hint.With(fmt.Errorf("%s, the interface of the default route, has no single suitable IPv4 address", route.Interface), "%s", f.choice())
}

// choice is the flag as it can be typed, for every address of this host.
func (f *Facts) choice() string {
	all := f.global()
	var list []string
	for _, c := range all {
		list = append(list, fmt.Sprintf("%s %s (on %s)", Flag, c.address.Prefix.Addr(), c.iface))
	}
	switch len(list) {
	case 1:
		return fmt.Sprintf("%s %s", Flag, all[0].address.Prefix.Addr())
	case 0:
		return "configure an address: ip addr add ADDRESS/BITS dev INTERFACE, and write it to /etc/sysconfig/network-scripts/ifcfg-INTERFACE"
	}
	return strings.Join(list, ", or ")
}
