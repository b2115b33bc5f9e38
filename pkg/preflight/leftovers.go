package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
)

// clusterLinks returns the network interfaces that Kubernetes itself creates.
func clusterLinks() []cni.Link {
	return []cni.Link{{Name: "kube-ipvs0", Of: kubeProxy}, {Name: "nodelocaldns", Of: "the DNS cache"}}
}

const kubeProxy = "kube-proxy"

// linkOf finds i among the links of clusters. A link that a kernel module creates
// counts only with an address.
func (o *Options) linkOf(i facts.Interface) (cni.Link, bool) {
	if l, ok := o.Networks.Link(i.Name); ok {
		return l, !l.Module || len(i.Addresses) > 0
	}
	all := clusterLinks()
	if at := slices.IndexFunc(all, func(l cni.Link) bool { return l.Is(i.Name) }); at >= 0 {
		return all[at], true
	}
	return cni.Link{}, false
}

// leftovers looks for links and rules of another cluster: a bridge with an address
// of another pod network keeps pods from starting, and leftover policies drop what
// pods send. What Kubernetes recreates is harmless and only reported.
func leftovers(ctx context.Context, h *host.Host, o *Options, f *found) error {
	if o.Ours {
		f.ok("not checked: kubecrate already ran kubeadm on this host")
		return nil
	}
	o.leftLinks(f)
	saved, err := h.Query(ctx, "iptables-save")
	if err != nil && ignored(ctx) != nil {
		return ignored(ctx)
	}
	o.leftChains(string(saved), f)
	f.okIf("no links or rules of another cluster")
	return nil
}

func (o *Options) leftLinks(f *found) {
	var names, commands, makers []string
	for _, i := range o.Facts.Interfaces {
		l, made := o.linkOf(i)
		if !made {
			continue
		}
		name := i.Name
		if len(i.Addresses) > 0 {
			name += " (" + i.Addresses[0].Prefix.String() + ")"
		}
		names = append(names, name)
		if !slices.Contains(makers, l.Of) {
			makers = append(makers, l.Of)
		}
		commands = append(commands, l.RemoveCommand(i.Name))
	}
	if len(names) > 0 {
		f.fail("if no container uses them (podman ps, crictl ps): "+strings.Join(commands, "; "),
			"an earlier network (%s) left %s: pods would get a wrong address or none", strings.Join(makers, ", "), strings.Join(names, ", "))
	}
}

// clusterChains returns the chains to report: those of networks, harmful unless the
// bundle's network recreates them, and kube-proxy's, last because names of others
// start with the same prefix.
func (o *Options) clusterChains() []cni.Chain {
	own := o.network().Chains
	var list []cni.Chain
	for _, c := range o.Networks.Chains() {
		if c.Harmful {
			c.Harmful = !slices.ContainsFunc(own, func(x cni.Chain) bool { return x.Prefix == c.Prefix })
			list = append(list, c)
		}
	}
	return append(list, cni.Chain{Prefix: "KUBE-", Of: kubeProxy})
}

// leftChains looks for chains in the output of iptables-save. Those of podman's and
// docker's plugins (CNI-, DOCKER) do not belong to a cluster.
func (o *Options) leftChains(saved string, f *found) {
	all := o.clusterChains()
	count := map[string]int{}
	for line := range strings.Lines(saved) {
		name, ok := strings.CutPrefix(line, ":")
		if !ok {
			continue
		}
		for _, c := range all {
			if strings.HasPrefix(name, c.Prefix) {
				count[c.Prefix]++
				break
			}
		}
	}
	for _, c := range all {
		if count[c.Prefix] == 0 {
			continue
		}
		fix := fmt.Sprintf("iptables-save | grep -v -e ':%[1]s' -e ' %[1]s' | iptables-restore", c.Prefix)
		if !c.Harmful {
			f.warn(fix, "an earlier cluster left %d chains of %s in iptables; they will be recreated", count[c.Prefix], c.Of)
		} else {
			f.fail(fix, "an earlier cluster left %d chains of %s in iptables: they may drop pod traffic", count[c.Prefix], c.Of)
		}
	}
}
