package preflight

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
)

// filter evaluates the host's own rules for the packets that a cluster sends:
// kube-proxy and the network only add rules. Rules loaded by a service disappear
// when it is stopped, see prep.Firewall, and are not checked.
func filter(ctx context.Context, h *host.Host, o *Options, f *found) error {
	for _, unit := range []string{"firewalld.service", "iptables.service", "nftables.service"} {
		if u, err := h.Unit(ctx, unit); err == nil && u.Active {
			f.ok("only the rules of %s, which will be stopped", unit)
			return nil
		}
	}
	saved, err := h.Query(ctx, "iptables-save", "-t", "filter")
	if err == nil {
		o.judgeRules(netfilter.Parse(string(saved)), f)
	}
	native, err := h.Query(ctx, "nft", "list", "ruleset")
	if err == nil {
		for _, c := range netfilter.Dropping(string(native)) {
			f.warn(o.nftHint(),
				"nftables chain %s drops packets that no earlier rule accepts: it must accept the cluster's traffic", c)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.okIf("no rule of this host drops cluster traffic")
	return nil
}

// nftHint lists what an nftables table, whose rules are not evaluated, must accept.
func (o *Options) nftHint() string {
	ports := "TCP 6443, 2379-2380, 10250, 30000-32767"
	for _, p := range o.network().Between() {
		ports += ", " + p.String()
	}
	return "see nft list ruleset; allow " + ports + " between all hosts, and everything from the pod network"
}

// traffic is a packet that must pass, and its description.
type traffic struct {
	netfilter.Packet
	what string
}

// needed returns what other hosts and this host's pods send to it.
func (o *Options) needed(peers, pods netip.Prefix, iface string) []traffic {
	const kubelet, api = 10250, 6443
	from := func(p netip.Prefix, in, proto string, port int, what string) traffic {
		return traffic{netfilter.Packet{Source: p.Addr().Next(), In: in, Protocol: proto, Port: port}, what}
	}
	var list []traffic
	if o.controls() {
		list = append(list, from(peers, iface, "tcp", api, "TCP 6443 (the API server)"))
		if pods.IsValid() {
			list = append(list, from(pods, o.network().PodLink, "tcp", api, "TCP 6443 from pods"))
		}
	}
	list = append(list, from(peers, iface, "tcp", kubelet, "TCP 10250 (the kubelet)"))
	for _, p := range o.network().Between() {
		list = append(list, from(peers, iface, p.Protocol, p.Number, fmt.Sprintf("%s (%s)", p, p.What)))
	}
	return list
}

// judgeRules reports which cluster traffic a table of rules drops.
func (o *Options) judgeRules(t netfilter.Table, f *found) {
	address, iface, err := facts.AddressOf(o.Facts, o.Cluster, o.Advertise)
	if err != nil {
		return // reported by the check "address"
	}
	peers := networkOf(o.Facts, address)
	pods := o.clusterNets()[0].prefix
	var lost, unsure []string
	by := ""
	for _, p := range o.needed(peers, pods, iface) {
		v := t.Input(p.Packet)
		switch {
		case !v.Dropped:
			continue
		case v.Unsure:
			unsure = append(unsure, p.what)
		default:
			lost = append(lost, p.what)
		}
		by = v.By
	}
	accept := fmt.Sprintf("iptables -I INPUT -s %s -j ACCEPT; iptables -I INPUT -s %s -j ACCEPT; and add both where the rules are loaded at boot", peers, pods)
	if len(lost) > 0 {
		f.fail(accept, "a rule of this host (%s) drops incoming %s", by, strings.Join(lost, ", "))
	} else if len(unsure) > 0 {
		f.warn(accept, "a rule of this host (%s) may drop incoming %s", by, strings.Join(unsure, ", "))
	}
	if !pods.IsValid() {
		return
	}
	through := netfilter.Packet{Source: pods.Addr().Next(), In: o.network().PodLink, Out: iface, Protocol: "tcp", Port: 80}
	// A policy applies after all rules, those that the network appends included.
	if v := t.Forward(through); v.Dropped && !v.Policy {
		fix := fmt.Sprintf("iptables -I FORWARD -s %[1]s -j ACCEPT; iptables -I FORWARD -d %[1]s -j ACCEPT; and add both where the rules are loaded at boot", pods)
		add := f.fail
		if v.Unsure {
			add = f.warn
		}
		add(fix, "a rule of this host (%s) drops traffic forwarded to and from pods", v.By)
	}
}

// networkOf returns the network of one of the host's addresses.
func networkOf(fs *facts.Facts, a netip.Addr) netip.Prefix {
	for _, i := range fs.Interfaces {
		at := slices.IndexFunc(i.Addresses, func(own facts.Address) bool { return own.Prefix.Addr() == a })
		if at >= 0 {
			return i.Addresses[at].Prefix.Masked()
		}
	}
	return netip.PrefixFrom(a, a.BitLen())
}
