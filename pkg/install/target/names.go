package target

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/prep"
)

// endpoint is HOST:PORT of the control plane: that of the ticket that this host
// joins by; or the one that it joined earlier; or what the cluster says; or, on the
// host that begins it, its own address. "" where it is not known.
func endpoint(join *manifest.Ticket, saved *State, c *manifest.Cluster, own netip.Addr) string {
	switch {
	case join != nil:
		return join.Endpoint
	case saved.joined() != "":
		return saved.Joined
	}
	return c.EndpointOr(own)
}

// told is what the ticket says, or without one what it said when this host joined.
func told(join *manifest.Ticket, saved *State) Told {
	switch {
	case join != nil:
		return Told{Hosts: join.Hosts, TimeServer: join.TimeServer}
	case saved != nil:
		return saved.Told
	}
	return Told{}
}

// host is this host as one of the cluster, nil where its address is not known.
func (t *Target) host() *manifest.Host {
	if !t.Address.IsValid() {
		return nil
	}
	return &manifest.Host{Name: t.Node, Address: t.AddressText(), Role: t.Role, Interface: t.Interface}
}

// knownHosts are the cluster's hosts, those that a ticket tells of, and own, which
// may be nil.
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

// alias is the endpoint where it is a name that no host has: then it is one more
// of every master. "" where it is not.
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

// entries are the hosts for /etc/hosts. The endpoint's name has the addresses of
// all masters there: a client tries one after the other. A master comes first on
// itself, so that what runs on it does not depend on another one: a connection to
// a host that lost its power hangs for many minutes.
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

// effective is the cluster with what this host adds: its hosts, and the endpoint,
// whose name is also this master's.
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
