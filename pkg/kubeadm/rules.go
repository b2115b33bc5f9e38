package kubeadm

import (
	"net/netip"
	"slices"
	"strings"
)

// pluginChains is how the names of the chains begin that CNI plugins make, for
// whoever calls them.
const pluginChains = "CNI-"

// ours says that a chain of netfilter, or a set, belongs to the kubelet,
// kube-proxy, the CNI plugins, flannel or calico. Docker's and the user's do not,
// nor do others, the plugins' that were there before.
func ours(name string, others []string) bool {
	return !slices.Contains(others, name) && slices.ContainsFunc([]string{"KUBE-", pluginChains, "FLANNEL-", "cali-"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// ofCluster says that a line of iptables-save is of a cluster: its chains, the
// jumps to them, and what is put straight into the built-in chains: by flannel
// before 0.20 rules about the pod network, by calico rules with a comment of its
// own. See netfilter.Prune for the words, and ours for others.
func ofCluster(words []string, pods netip.Prefix, others []string) bool {
	if len(words) == 0 {
		return false
	}
	if chain, ok := strings.CutPrefix(words[0], ":"); ok {
		return ours(chain, others)
	}
	for i := 0; i+1 < len(words); i++ {
		switch value := words[i+1]; words[i] {
		case "-A", "-j", "-g":
			if ours(value, others) {
				return true
			}
		case "--comment":
			if strings.HasPrefix(strings.Trim(value, `"`), "cali:") {
				return true
			}
		case "-s", "-d":
			p, err := netip.ParsePrefix(value)
			if err == nil && pods.IsValid() && pods.Bits() <= p.Bits() && pods.Contains(p.Addr()) {
				return true
			}
		}
	}
	return false
}
