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
	f.ok("%s on %s", a, iface)
	return nil
}

// iface looks for the interface that the operator named.
func iface(_ *host.Host, o *Options, f *found) error {
	if o.Interface == "" {
		return nil
	}
	var names []string
	for _, i := range o.Facts.Interfaces {
		if i.Name == o.Interface {
			f.ok("%s", i.Name)
			return nil
		}
		if !i.Virtual() {
			names = append(names, i.Name)
		}
	}
	fix := "ip addr shows the interfaces of this host"
	if len(names) > 0 {
		fix = "--interface " + strings.Join(names, ", or --interface ")
	}
	f.fail(fix, "--interface says %s, and this host has no such interface", o.Interface)
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
	if !o.Facts.RouteTo(a) && !slices.Contains(o.Facts.Addresses(), a) {
		f.fail("ip route add "+a.String()+" via GATEWAY, or put this host into the master's network; ip route shows what is there", "no route of this host leads to the control plane at %s", a)
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
	if o.Ticket != nil && o.Ticket.PodCIDR != "" {
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

// taken is a network that the hosts have, and who says so.
type taken struct {
	prefix netip.Prefix
	who    string
}

// takenBy are the networks of a host that are not the cluster's own. A route to
// all services by no gateway is one that install made: see prep.ServiceRoute.
func takenBy(fs *facts.Facts, who string, services netip.Prefix) []taken {
	var list []taken
	for _, i := range fs.Interfaces {
		if i.Name == "lo" || facts.Cluster(i.Name) {
			continue
		}
		for _, a := range i.Addresses {
			list = append(list, taken{a.Prefix.Masked(), fmt.Sprintf("%s, where %s has %s", a.Prefix.Masked(), who, a.Prefix.Addr())})
		}
	}
	for _, r := range fs.Routes {
		made := r.Destination == services && !r.Gateway.IsValid()
		if r.Destination.IsValid() && r.Destination.Bits() > 0 && !facts.Cluster(r.Interface) && !made {
			list = append(list, taken{r.Destination, fmt.Sprintf("%s, to which %s has a route on %s", r.Destination, who, r.Interface)})
		}
	}
	for _, n := range fs.Nameservers {
		if a, err := netip.ParseAddr(n); err == nil && a.Is4() && !a.IsLoopback() {
			list = append(list, taken{netip.PrefixFrom(a, a.BitLen()), fmt.Sprintf("%s, which %s has for a nameserver", a, who)})
		}
	}
	return list
}

// networks looks for networks of the hosts that overlap the cluster's: what
// lies there could not be reached any more.
func networks(_ *host.Host, o *Options, f *found) error {
	nets := o.clusterNets()
	services := nets[1].prefix
	all := takenBy(o.Facts, "this host", services)
	for _, other := range o.Others {
		all = append(all, takenBy(other, other.Hostname, services)...)
	}
	for _, n := range nets {
		for _, t := range all {
			if n.prefix.IsValid() && t.prefix.IsValid() && n.prefix.Overlaps(t.prefix) {
				f.fail(n.hint(o, all), "the cluster's %s %s overlaps %s", n.what, n.prefix, t.who)
				break // one is enough to choose another
			}
		}
	}
	f.okIf("pods %s and services %s overlap no network of the hosts", nets[0].prefix, nets[1].prefix)
	return nil
}

// hint names a network that is free.
func (n net) hint(o *Options, all []taken) string {
	free := "NETWORK"
	for _, text := range n.others {
		p := netip.MustParsePrefix(text)
		inUse := slices.ContainsFunc(all, func(t taken) bool { return t.prefix.IsValid() && t.prefix.Overlaps(p) })
		if !inUse && !slices.ContainsFunc(o.clusterNets(), func(c net) bool { return c.prefix.IsValid() && c.prefix.Overlaps(p) }) {
			free = text
			break
		}
	}
	if o.Ticket != nil {
		return fmt.Sprintf("the cluster has it since the master was made: give this host another network, or make the master anew with %s %s", n.flag, free)
	}
	return fmt.Sprintf("%s %s, or %s: %s in cluster.yaml", n.flag, free, n.key, free)
}
