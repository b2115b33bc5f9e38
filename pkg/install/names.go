package install

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/prep"
)

// hosts are the cluster's hosts as far as they are known here, this one among
// them.
func (s *site) hosts() []manifest.Host {
	list := slices.Clone(s.cluster.Hosts)
	known := map[string]bool{} // names and addresses: a ticket may list thousands
	note := func(h manifest.Host) { known[h.Name], known[h.Address] = true, true }
	for _, h := range list {
		note(h)
	}
	for _, h := range s.told().Hosts {
		if !known[h.Name] && !known[h.Address] {
			list = append(list, h)
			note(h)
		}
	}
	if s.address.IsValid() {
		list = withHost(list, manifest.Host{Name: s.nodeName(), Address: s.address.String(), Role: s.role, Interface: s.iface})
	}
	return list
}

// alias is the endpoint where it is a name that no host has: then it is one more
// of every master. "" where it is not.
func (s *site) alias(list []manifest.Host) string {
	name, _, _ := strings.Cut(s.endpoint(), ":")
	if isAddress(name) || named(list, name) {
		return ""
	}
	return name
}

func named(list []manifest.Host, name string) bool {
	for _, h := range list {
		for _, n := range append([]string{h.Name}, h.Aliases...) {
			if n == name {
				return true
			}
		}
	}
	return false
}

// entries are the hosts for /etc/hosts. The endpoint's name has the addresses of
// all masters there: a client tries one after the other. A master comes first on
// itself, so that what runs on it does not depend on another one: a connection to
// a host that lost its power hangs for many minutes.
func (s *site) entries() []prep.Entry {
	hosts := s.hosts()
	alias := s.alias(hosts)
	if alias != "" {
		own := s.addressText()
		hosts = slices.Clone(hosts)
		slices.SortStableFunc(hosts, func(a, b manifest.Host) int {
			switch {
			case a.Address == own && a.Controls() && b.Address != own:
				return -1
			case b.Address == own && b.Controls() && a.Address != own:
				return 1
			}
			return 0
		})
	}
	var list []prep.Entry
	for _, h := range hosts {
		a, err := netip.ParseAddr(h.Address)
		if err != nil {
			continue
		}
		e := prep.Entry{Address: a, Names: append([]string{h.Name}, h.Aliases...)}
		if alias != "" && h.Controls() {
			e.Names = append(e.Names, alias)
		}
		list = append(list, e)
	}
	return list
}

// settled is the cluster with what this host adds: its hosts, and the endpoint,
// whose name is also this master's.
func (s *site) settled() *manifest.Cluster {
	c := *s.cluster
	c.Hosts, c.Endpoint = s.hosts(), s.endpoint()
	if alias := s.alias(c.Hosts); alias != "" && s.role != manifest.Node {
		c.Hosts = slices.Clone(c.Hosts)
		for i, h := range c.Hosts {
			if h.Address == s.addressText() {
				c.Hosts[i].Aliases = slices.Concat(h.Aliases, []string{alias})
			}
		}
	}
	return &c
}
