package target

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/prep"
)

// endpoint is HOST:PORT of the control plane: the ticket's, or the one joined
// earlier, or the cluster's, or, on the host that initialises the cluster, its own
// address. "" if unknown.
func endpoint(join *manifest.Ticket, saved *State, c *manifest.Cluster, own netip.Addr) string {
	switch {
	case join != nil:
		return join.Endpoint
	case saved.joined() != "":
		return saved.Joined
	}
	return c.EndpointOr(own)
}

// told is what the ticket says or, without one, what it said when this host joined.
func told(join *manifest.Ticket, saved *State) Told {
	switch {
	case join != nil:
		return Told{Hosts: join.Hosts, TimeServer: join.TimeServer}
	case saved != nil:
		return saved.Told
	}
	return Told{}
}

// host is this host's entry in the cluster, nil if its address is unknown.
func (t *Target) host() *manifest.Host {
	if !t.Address.IsValid() {
		return nil
	}
	return &manifest.Host{Name: t.Node, Address: t.AddressText(), Role: t.Role, Interface: t.Interface}
}

// knownHosts are the hosts of the cluster file and of the ticket, and own, which may
// be nil.
func knownHosts(cluster, told []manifest.Host, own *manifest.Host) []manifest.Host {
	list := slices.Clone(cluster)
	known := map[string]bool{} // names and addresses: a ticket may list thousands
	note := func(h manifest.Host) { known[h.Name], known[h.Address] = true, true }
	for _, h := range list {
		note(h)
	}
	for _, h := range told {
		if !known[h.Name] && !known[h.Address] {
			list = append(list, h)
			note(h)
		}
	}
	if own != nil {
		list = withHost(list, *own)
	}
	return list
}

// alias is the endpoint's name if no host has it: then every master gets it. ""
// otherwise.
func alias(hosts []manifest.Host, endpoint string) string {
	name, _, _ := strings.Cut(endpoint, ":")
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	if slices.ContainsFunc(hosts, func(h manifest.Host) bool { return h.Name == name || slices.Contains(h.Aliases, name) }) {
		return ""
	}
	return name
}

// entries are the lines for /etc/hosts. The endpoint's name resolves to all masters,
// which clients try in turn. A master lists itself first, so that its own components
// do not depend on another master: a connection to a host without power hangs for
// many minutes.
func entries(hosts []manifest.Host, endpoint, own string) []prep.Entry {
	alias := alias(hosts, endpoint)
	if alias != "" {
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

// effective is the cluster with the known hosts and the endpoint, whose name becomes
// an alias of this master.
func (t *Target) effective() *manifest.Cluster {
	c := *t.Cluster
	c.Hosts, c.Endpoint = t.Hosts, t.Endpoint
	if alias := alias(c.Hosts, t.Endpoint); alias != "" && t.Role != manifest.Node {
		c.Hosts = slices.Clone(c.Hosts)
		for i, h := range c.Hosts {
			if h.Address == t.AddressText() {
				c.Hosts[i].Aliases = slices.Concat(h.Aliases, []string{alias})
			}
		}
	}
	return &c
}
