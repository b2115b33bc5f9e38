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
		f.fail("in cluster.yaml, set vip to an address that no host has", "%s is both the address of this host and the virtual address in cluster.yaml", a)
	}
	f.okIf("%s on %s", a, iface)
	return nil
}

// holdsVIP reports whether this host can hold the control plane's virtual address.
func (o *Options) holdsVIP() bool { return o.controls() && o.Cluster != nil && o.Cluster.VIP != nil }

// iface checks that the interfaces that the operator named exist.
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
		fix := "list this host's interfaces with ip addr"
		if len(names) > 0 {
			fix = "--interface " + strings.Join(names, ", or --interface ")
		}
		f.fail(fix, "--interface is %s, but this host has no such interface", o.Interface)
	}
	if o.holdsVIP() && o.Cluster.VIP.Interface != "" && !there[o.Cluster.VIP.Interface] {
		f.fail("list this host's interfaces with ip addr; if they differ between hosts, remove interface from vip in cluster.yaml",
			"vip.interface in cluster.yaml is %s, but this host has no such interface", o.Cluster.VIP.Interface)
	}
	if o.Interface != "" {
		f.okIf("%s", o.Interface)
	}
	return nil
}

// endpoint returns the address of the control plane that a host joins; the zero Addr
// if it is a name or the host creates the cluster.
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

// reach checks that a route to the control plane exists.
func reach(_ *host.Host, o *Options, f *found) error {
	a := o.endpoint()
	if !a.IsValid() || o.Ticket == nil {
		return nil
	}
	if own := slices.Contains(o.Facts.Addresses(), a); own && !o.Ours && !o.controls() {
		f.fail("on the master, with the stick: ./install ticket; or, if this is the master: --role master", "in the ticket, the control plane is at %s, which is an address of this host, but this host has no control plane", a)
	}
	if !o.Facts.RouteTo(a) && !slices.Contains(o.Facts.Addresses(), a) {
		f.fail("see ip route; add a route (ip route add ADDRESS via GATEWAY), or connect this host to the master's network", "this host has no route to the control plane at %s", a)
	}
	f.okIf("route to %s found", a)
	return nil
}

// net is a network of the cluster.
type net struct {
	what, key string // key is that of the cluster file
	flag      string
	prefix    netip.Prefix
	others    []string // alternatives to suggest
}

// clusterNets returns the cluster's networks as far as they are known.
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

// taken is a network in use on a host; how describes on which host and by what.
type taken struct {
	prefix netip.Prefix
	how    func(who string) string
}

// takenBy returns the networks of a host that are not the cluster's own. A route to
// all services without a gateway was made by install: see prep.ServiceRoute.
func takenBy(fs *facts.Facts, services netip.Prefix) []taken {
	var list []taken
	for _, i := range fs.Interfaces {
		if i.Name == "lo" || fs.Cluster(i.Name) {
			continue
		}
		for _, a := range i.Addresses {
			list = append(list, taken{a.Prefix.Masked(), func(who string) string {
				return fmt.Sprintf("%s, in which %s has %s", a.Prefix.Masked(), who, a.Prefix.Addr())
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
				return fmt.Sprintf("%s, a nameserver of %s", a, who)
			}})
		}
	}
	return list
}

// networks looks for networks of the hosts that overlap the cluster's: addresses in
// the overlap become unreachable. Reports of other hosts are unverified, so an overlap
// there is a warning.
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
			continue // one overlap is enough
		}
		for _, other := range o.Others {
			if t := n.overlaps(takenBy(other, services)); t != nil {
				f.warn(n.hint(o, inUse), "the cluster's %s %s overlaps %s", n.what, n.prefix, t.how(other.Hostname))
				break
			}
		}
	}
	if o.TicketErr != nil {
		f.warn("fix the check ticket first", "the pod network was not compared: it is not known without the cluster's ticket")
	}
	f.okIf("pods %s and services %s overlap no network of the hosts", nets[0].prefix, nets[1].prefix)
	return nil
}

// overlaps returns the first of list that overlaps n, nil for none.
func (n net) overlaps(list []taken) *taken {
	i := slices.IndexFunc(list, func(t taken) bool { return n.prefix.IsValid() && t.prefix.IsValid() && n.prefix.Overlaps(t.prefix) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// hint suggests a free network.
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
		return fmt.Sprintf("it was set when the master was installed: change this host's network, or reset and reinstall the master with %s %s", n.flag, free)
	}
	return fmt.Sprintf("%s %s, or %s: %s in cluster.yaml", n.flag, free, n.key, free)
}
