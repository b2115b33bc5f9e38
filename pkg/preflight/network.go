package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
)

func address(_ *host.Host, o *Options, f *found) error {
	a, iface, err := facts.AddressOf(o.Facts, o.Cluster, o.Advertise)
	if err != nil {
		f.fail(hint.Of(err), "%v", err)
		return nil
	}
	if o.holdsVIP() && o.Cluster.VIP.Address == a.String() {
		f.fail("in cluster.yaml, take an address for vip that no host has", "%s is the address of this host, and the virtual address of cluster.yaml as well", a)
	}
	f.okIf("%s on %s", a, iface)
	return nil
}

// holdsVIP says that this host is to hold the control plane's virtual address.
func (o *Options) holdsVIP() bool { return o.controls() && o.Cluster != nil && o.Cluster.VIP != nil }

// iface looks for the interfaces that the operator named.
func iface(_ *host.Host, o *Options, f *found) error {
	var names []string
	there := map[string]bool{}
	for _, i := range o.Facts.Interfaces {
		there[i.Name] = true
		if !o.Facts.Virtual(i.Name) {
			names = append(names, i.Name)
		}
	}
	if o.Interface != "" && !there[o.Interface] {
		fix := "ip addr shows the interfaces of this host"
		if len(names) > 0 {
			fix = "--interface " + strings.Join(names, ", or --interface ")
		}
		f.fail(fix, "--interface says %s, and this host has no such interface", o.Interface)
	}
	if o.holdsVIP() && o.Cluster.VIP.Interface != "" && !there[o.Cluster.VIP.Interface] {
		f.fail("in cluster.yaml, leave interface out of vip where the hosts' interfaces have other names; ip addr shows those of this host",
			"vip.interface of cluster.yaml is %s, and this host has no such interface", o.Cluster.VIP.Interface)
	}
	if o.Interface != "" {
		f.okIf("%s", o.Interface)
	}
	return nil
}

// endpoint is the address of the control plane that a host joins; the zero
// Addr where it is a name, or the host begins the cluster.
func (o *Options) endpoint() netip.Addr {
	text := o.Cluster.Endpoint
	if o.Ticket != nil {
		text = o.Ticket.Endpoint
	}
	word, _, _ := strings.Cut(manifest.HostPort(text), ":")
	a, err := netip.ParseAddr(word)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// reach says whether a route leads to the control plane.
func reach(_ *host.Host, o *Options, f *found) error {
	a := o.endpoint()
	if !a.IsValid() || o.Ticket == nil {
		return nil
	}
	if own := slices.Contains(o.Facts.Addresses(), a); own && !o.Ours && !o.controls() {
		f.fail("on the master, with the stick: ./install ticket; or, if this is the master: --role master", "by the ticket the control plane is at %s, which is an address of this host, and it has none", a)
	}
	if !o.Facts.RouteTo(a) && !slices.Contains(o.Facts.Addresses(), a) {
		f.fail("ip route add ADDRESS via GATEWAY, with that address, or put this host into the master's network; ip route shows what is there", "no route of this host leads to the control plane at %s", a)
	}
	f.okIf("a route leads to %s", a)
	return nil
}

// net is a network of the cluster.
type net struct {
	what, key string // key is that of the cluster file
	flag      string
	prefix    netip.Prefix
	others    []string // to take instead
}

// clusterNets are the networks of the cluster that are known.
func (o *Options) clusterNets() []net {
	pods := o.Cluster.PodCIDR
	switch {
	case o.TicketErr != nil:
		pods = ""
	case o.Ticket != nil && o.Ticket.PodCIDR != "":
		pods = o.Ticket.PodCIDR
	}
	list := []net{
		{what: "pod network", key: "podCIDR", flag: "--pod-cidr", others: []string{"10.244.0.0/16", "10.245.0.0/16", "172.30.0.0/16", "100.64.0.0/16"}},
		{what: "service network", key: "serviceCIDR", flag: "--service-cidr", others: []string{"10.96.0.0/12", "172.20.0.0/16", "100.80.0.0/16"}},
	}
	for i, text := range []string{pods, o.Cluster.ServiceCIDR} {
		if p, err := netip.ParsePrefix(text); err == nil {
			list[i].prefix = p.Masked()
		}
	}
	return list
}

// taken is a network that a host has; how says of which host, and by what.
type taken struct {
	prefix netip.Prefix
	how    func(who string) string
}

// takenBy are the networks of a host that are not the cluster's own. A route to
// all services by no gateway is one that install made: see prep.ServiceRoute.
func takenBy(fs *facts.Facts, services netip.Prefix) []taken {
	var list []taken
	for _, i := range fs.Interfaces {
		if i.Name == "lo" || fs.Cluster(i.Name) {
			continue
		}
		for _, a := range i.Addresses {
			list = append(list, taken{a.Prefix.Masked(), func(who string) string {
				return fmt.Sprintf("%s, where %s has %s", a.Prefix.Masked(), who, a.Prefix.Addr())
			}})
		}
	}
	for _, r := range fs.Routes {
		made := r.Destination == services && !r.Gateway.IsValid()
		if r.Destination.IsValid() && r.Destination.Bits() > 0 && !fs.Cluster(r.Interface) && !made {
			list = append(list, taken{r.Destination, func(who string) string {
				return fmt.Sprintf("%s, to which %s has a route on %s", r.Destination, who, r.Interface)
			}})
		}
	}
	for _, n := range fs.Nameservers {
		if a, err := netip.ParseAddr(n); err == nil && a.Is4() && !a.IsLoopback() {
			list = append(list, taken{netip.PrefixFrom(a, a.BitLen()), func(who string) string {
				return fmt.Sprintf("%s, which %s has for a nameserver", a, who)
			}})
		}
	}
	return list
}

// networks looks for networks of the hosts that overlap the cluster's: what
// lies there could not be reached any more. That another host has one is its
// word, and so a warning.
func networks(_ *host.Host, o *Options, f *found) error {
	nets := o.clusterNets()
	services := nets[1].prefix
	own := takenBy(o.Facts, services)
	inUse := func(p netip.Prefix) bool {
		it := net{prefix: p}
		return it.overlaps(own) != nil || slices.ContainsFunc(o.Others, func(other *facts.Facts) bool { return it.overlaps(takenBy(other, services)) != nil })
	}
	for _, n := range nets {
		if t := n.overlaps(own); t != nil {
			f.fail(n.hint(o, inUse), "the cluster's %s %s overlaps %s", n.what, n.prefix, t.how("this host"))
			continue // one is enough to choose another
		}
		for _, other := range o.Others {
			if t := n.overlaps(takenBy(other, services)); t != nil {
				f.warn(n.hint(o, inUse), "the cluster's %s %s overlaps %s", n.what, n.prefix, t.how(other.Hostname))
				break
			}
		}
	}
	if o.TicketErr != nil {
		f.warn("first what the check ticket says", "which network the cluster's pods have is not known without its ticket, so it was not compared")
	}
	f.okIf("pods %s and services %s overlap no network of the hosts", nets[0].prefix, nets[1].prefix)
	return nil
}

// overlaps is the first of list that overlaps n, nil for none.
func (n net) overlaps(list []taken) *taken {
	i := slices.IndexFunc(list, func(t taken) bool { return n.prefix.IsValid() && t.prefix.IsValid() && n.prefix.Overlaps(t.prefix) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// hint names a network that is free.
func (n net) hint(o *Options, inUse func(netip.Prefix) bool) string {
	free := "NETWORK"
	for _, text := range n.others {
		p := netip.MustParsePrefix(text)
		if !inUse(p) && !slices.ContainsFunc(o.clusterNets(), func(c net) bool { return c.prefix.IsValid() && c.prefix.Overlaps(p) }) {
			free = text
			break
		}
	}
	if o.Ticket != nil {
		return fmt.Sprintf("the cluster has it since the master was made: give this host another network, or make the master anew with %s %s", n.flag, free)
	}
	return fmt.Sprintf("%s %s, or %s: %s in cluster.yaml", n.flag, free, n.key, free)
}
