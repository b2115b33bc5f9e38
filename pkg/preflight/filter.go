package preflight

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
)

// filter sends what a cluster sends through the host's own rules, in thought:
// kube-proxy and the network add theirs, and take away none. Rules that a
// service loads go with it, see prep.Firewall, and are not looked at.
func filter(ctx context.Context, h *host.Host, o *Options, f *found) error {
	for _, unit := range []string{"firewalld.service", "iptables.service", "nftables.service"} {
		if u, err := h.Unit(ctx, unit); err == nil && u.Active {
			f.ok("those of %s, which is stopped", unit)
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
			f.warn("nft list ruleset shows it; nodes need TCP 6443, 2379-2380, 10250 and 30000-32767, UDP 8472 between all hosts, and all of the pod network",
				"nftables chain %s drops what no rule before accepts: it has to accept what the cluster sends", c)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.okIf("no rule of this host drops what the cluster sends")
	return nil
}

// traffic is a packet that has to pass, and how a person calls it.
type traffic struct {
	netfilter.Packet
	what string
}

// needed is what others send to this host, and its pods to it.
func (o *Options) needed(peers, pods netip.Prefix, iface string) []traffic {
	const kubelet, api = 10250, 6443
	from := func(p netip.Prefix, in, proto string, port int, what string) traffic {
		return traffic{netfilter.Packet{Source: p.Addr().Next(), In: in, Protocol: proto, Port: port}, what}
	}
	var list []traffic
	if o.controls() {
		list = append(list, from(peers, iface, "tcp", api, "TCP 6443 (the API server)"))
		if pods.IsValid() {
			list = append(list, from(pods, podLink(o.Manifest.Network), "tcp", api, "TCP 6443 from pods"))
		}
	}
	list = append(list, from(peers, iface, "tcp", kubelet, "TCP 10250 (the kubelet)"))
	const vxlan, bgp = 8472, 179
	switch o.Manifest.Network {
	case manifest.NetworkFlannel, manifest.NetworkCanal:
		list = append(list, from(peers, iface, "udp", vxlan, "UDP 8472 (the pod network)"))
	case manifest.NetworkCalico:
		list = append(list, from(peers, iface, "tcp", bgp, "TCP 179 (calico's BGP)"))
	}
	return list
}

// podLink is the interface by which a pod's packets come to its host.
func podLink(network string) string {
	if network == manifest.NetworkFlannel {
		return "cni0"
	}
	return "cali0123456789a"
}

// judgeRules tells what a table of rules drops of what the cluster sends.
func (o *Options) judgeRules(t netfilter.Table, f *found) {
	address, iface, err := facts.AddressOf(o.Facts, o.Cluster, o.Advertise)
	if err != nil {
		return // the check "address" says so
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
	accept := fmt.Sprintf("iptables -I INPUT -s %s -j ACCEPT; iptables -I INPUT -s %s -j ACCEPT; and the same where these rules are loaded from at boot", peers, pods)
	if len(lost) > 0 {
		f.fail(accept, "a rule of this host (%s) drops what comes in for %s", by, strings.Join(lost, ", "))
	} else if len(unsure) > 0 {
		f.warn(accept, "a rule of this host (%s) may drop what comes in for %s", by, strings.Join(unsure, ", "))
	}
	if !pods.IsValid() {
		return
	}
	through := netfilter.Packet{Source: pods.Addr().Next(), In: podLink(o.Manifest.Network), Out: iface, Protocol: "tcp", Port: 80}
	// A policy is not a rule: what the network appends comes before it.
	if v := t.Forward(through); v.Dropped && !v.Policy {
		fix := fmt.Sprintf("iptables -I FORWARD -s %[1]s -j ACCEPT; iptables -I FORWARD -d %[1]s -j ACCEPT; and the same where these rules are loaded from at boot", pods)
		add := f.fail
		if v.Unsure {
			add = f.warn
		}
		add(fix, "a rule of this host (%s) drops what is forwarded from and to pods", v.By)
	}
}

// networkOf is the network that an address of the host is in.
func networkOf(fs *facts.Facts, a netip.Addr) netip.Prefix {
	for _, i := range fs.Interfaces {
		at := slices.IndexFunc(i.Addresses, func(own facts.Address) bool { return own.Prefix.Addr() == a })
		if at >= 0 {
			return i.Addresses[at].Prefix.Masked()
		}
	}
	return netip.PrefixFrom(a, a.BitLen())
}
