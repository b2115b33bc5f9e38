package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host"
)

// link is a network interface that a pod network or kube-proxy makes: its name,
// or the beginning of it.
type link struct {
	name, of string
	prefix   bool
}

func clusterLinks() []link {
	return []link{
		{"cni0", "flannel or CRI-O", false}, {"flannel.", "flannel", true}, {"flannel-", "flannel", true},
		{"cali", "calico", true}, {"vxlan.calico", "calico", false}, {"wireguard.cali", "calico", false}, {"tunl0", "calico", false},
		{"weave", "weave", false}, {"vxlan-6784", "weave", false}, {"vethwe-", "weave", true},
		{"cilium_", "cilium", true}, {"lxc_health", "cilium", false},
		{"kube-ipvs0", "kube-proxy", false}, {"kube-bridge", "kube-router", false}, {"kube-dummy-if", "kube-router", false},
		{"nodelocaldns", "the DNS cache", false}, {"antrea-", "antrea", true}, {"ovn0", "kube-ovn", false}, {"ovn-k8s-", "OVN", true},
	}
}

// maker is whose link i is, "" for none of a cluster. The module ipip brings
// tunl0 with it, which nobody can delete: it counts with an address only.
func maker(i facts.Interface) string {
	for _, l := range clusterLinks() {
		if (i.Name == l.name || l.prefix && strings.HasPrefix(i.Name, l.name)) && (l.name != "tunl0" || len(i.Addresses) > 0) {
			return l.of
		}
	}
	return ""
}

// leftovers looks for links and rules of another cluster: a bridge with an
// address of another pod network lets no pod start, and foreign policies drop
// what pods send. What Kubernetes itself makes anew does no harm, and is said.
func leftovers(ctx context.Context, h *host.Host, o *Options, f *found) error {
	if o.Ours {
		f.ok("not looked at: kubeadm was begun on this host")
		return nil
	}
	leftLinks(o.Facts, f)
	saved, err := h.Query(ctx, "iptables-save")
	if err != nil && ignored(ctx) != nil {
		return ignored(ctx)
	}
	leftChains(string(saved), o.Manifest.Network, f)
	f.okIf("no links or rules of another cluster")
	return nil
}

func leftLinks(fs *facts.Facts, f *found) {
	var names, commands, makers []string
	for _, i := range fs.Interfaces {
		of := maker(i)
		if of == "" {
			continue
		}
		name := i.Name
		if len(i.Addresses) > 0 {
			name += " (" + i.Addresses[0].Prefix.String() + ")"
		}
		names = append(names, name)
		if !slices.Contains(makers, of) {
			makers = append(makers, of)
		}
		command := "ip link delete " + i.Name
		if i.Name == "tunl0" {
			command = "ip address flush dev tunl0"
		}
		commands = append(commands, command)
	}
	if len(names) > 0 {
		f.fail("if no container uses them (podman ps, crictl ps): "+strings.Join(commands, "; "),
			"an earlier network (%s) left %s: pods would get their addresses from it, or none", strings.Join(makers, ", "), strings.Join(names, ", "))
	}
}

// chains are those of a network or program, by what their names begin with.
type chains struct {
	prefix, of string
	harmless   bool // whoever makes them makes them anew
}

func clusterChains(network string) []chains {
	felix := network == manifest.NetworkCalico || network == manifest.NetworkCanal
	return []chains{
		{"cali-", "calico", felix}, {"WEAVE", "weave", false}, {"CILIUM_", "cilium", false}, {"OLD_CILIUM_", "cilium", false},
		{"KUBE-ROUTER-", "kube-router", false}, {"KUBE-NWPLCY-", "kube-router", false}, {"KUBE-POD-FW-", "kube-router", false},
		{"ANTREA-", "antrea", false}, {"KUBE-", "kube-proxy", true},
	}
}

// leftChains looks for chains in what iptables-save prints. Those that podman's
// and docker's plugins make (CNI-, DOCKER) are of nobody's cluster.
func leftChains(saved, network string, f *found) {
	count := map[string]int{}
	for line := range strings.Lines(saved) {
		name, ok := strings.CutPrefix(line, ":")
		if !ok {
			continue
		}
		for _, c := range clusterChains(network) {
			if strings.HasPrefix(name, c.prefix) {
				count[c.prefix]++
				break
			}
		}
	}
	for _, c := range clusterChains(network) {
		if count[c.prefix] == 0 {
			continue
		}
		fix := fmt.Sprintf("iptables-save | grep -v -e ':%[1]s' -e ' %[1]s' | iptables-restore", c.prefix)
		if c.harmless {
			f.warn(fix, "an earlier cluster left %d chains of %s in iptables, which are made again", count[c.prefix], c.of)
		} else {
			f.fail(fix, "an earlier cluster left %d chains of %s in iptables: they may drop what pods send", count[c.prefix], c.of)
		}
	}
}
