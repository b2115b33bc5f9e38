package kubeadm

import (
	"net/netip"
	"slices"
	"strings"

	"kubecrate/pkg/cni"
)

// pluginChains is the prefix of the chains that CNI plugins make, for any caller.
const pluginChains = "CNI-"

// ours reports whether a chain of netfilter, or a set, belongs to the kubelet,
// kube-proxy, the CNI plugins or a network. Docker's and the user's do not, nor do
// others, the plugins' chains that existed before.
func ours(name string, networks cni.Networks, others []string) bool {
	return !slices.Contains(others, name) &&
		(strings.HasPrefix(name, "KUBE-") || strings.HasPrefix(name, pluginChains) || networks.HasChain(name))
}

// ofCluster reports whether a line of iptables-save is of a cluster: its chains, the
// jumps to them, and what networks put straight into the built-in chains: rules
// about the pod network, or with a comment of their own. See netfilter.Prune for
// the words.
func (m *record) ofCluster(words []string) bool {
	if len(words) == 0 {
		return false
	}
	networks := m.installable()
	if chain, ok := strings.CutPrefix(words[0], ":"); ok {
		return ours(chain, networks, m.Chains)
	}
	for i := 0; i+1 < len(words); i++ {
		switch value := words[i+1]; words[i] {
		case "-A", "-j", "-g":
			if ours(value, networks, m.Chains) {
				return true
			}
		case "--comment":
			if networks.HasComment(strings.Trim(value, `"`)) {
				return true
			}
		case "-s", "-d":
			p, err := netip.ParsePrefix(value)
			if err == nil && m.pods.IsValid() && m.pods.Bits() <= p.Bits() && m.pods.Contains(p.Addr()) {
				return true
			}
		}
	}
	return false
}
