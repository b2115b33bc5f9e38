// Package cni gives a cluster its pod network, one file a network, and its DNS
// what an isolated host needs.
package cni

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// Network is a kind of pod network.
type Network interface {
	Name() string
	// Claims says whether a manifest is that of this network.
	Claims(manifest []byte) bool
	// Render fits the network's own manifest to a cluster. What need not change
	// stays as it is, byte for byte where the manifest is written in blocks, as
	// the published ones are.
	Render(manifest []byte, c Cluster) ([]byte, error)
}

// Cluster is what a network has to know.
type Cluster struct {
	PodCIDR netip.Prefix
	Arch    string // GOARCH of the bundle's images
	// Interface leads from each host to the others, where all call it the same;
	// "" is the one that has the host's own address in the cluster.
	Interface string
}

// known is a network and how it is told from others on a host and in a cluster.
// One without an implementation is only told apart.
type known struct {
	name       string
	network    Network
	daemonSets []string // prefixes of names
	files      []string // what the names of its files in /etc/cni/net.d hold
	hint       string   // what helps where pods do not reach each other
}

// networks is the table: a network more is one file and one line.
func networks() []known {
	const system, logs = "iptables -S INPUT; iptables -S FORWARD; kubectl --namespace=kube-system", " logs --selector="
	return []known{
		{"flannel", flannel{}, []string{"kube-flannel"}, []string{"flannel"}, "UDP 8472 between all hosts is open? " + system + logs + "app=flannel"},
		{"canal", canal{}, []string{"canal"}, []string{"canal"}, "UDP 8472 between all hosts is open? " + system + logs + "k8s-app=canal --container=kube-flannel"},
		{"calico", calico{}, []string{"calico-node"}, []string{"calico"}, "IP protocol 4 (IP in IP) and TCP 179 between all hosts are open? " + system + logs + "k8s-app=calico-node"},
		{name: "weave", daemonSets: []string{"weave-net"}, files: []string{"weave"}},
		{name: "cilium", daemonSets: []string{"cilium"}, files: []string{"cilium"}},
		{name: "kube-router", daemonSets: []string{"kube-router"}, files: []string{"kuberouter", "kube-router"}},
		{name: "antrea", daemonSets: []string{"antrea-agent"}, files: []string{"antrea"}},
		{name: "kube-ovn", daemonSets: []string{"kube-ovn-cni"}, files: []string{"kube-ovn"}},
	}
}

// Hint is what helps where pods of a network do not reach each other, "" where
// that is not known.
func Hint(network string) string {
	for _, k := range networks() {
		if k.name == network {
			return k.hint
		}
	}
	return ""
}

// For is the network that a bundle names. The error of one that cannot be
// installed says which can.
func For(network string) (Network, error) {
	var names []string
	for _, k := range networks() {
		if k.network == nil {
			continue
		}
		if k.name == network {
			return k.network, nil
		}
		names = append(names, k.name)
	}
	return nil, hint.With(fmt.Errorf("cannot install network %s: this version of install knows %s", network, strings.Join(names, ", ")),
		"make the bundle with network: %s", names[0])
}

// manifests is where a bundle keeps what is applied to a cluster.
const manifests = "manifests"

// Manifest finds the manifest of n among those of a bundle. The error wraps
// fs.ErrNotExist where it has none.
func Manifest(bundle fs.FS, n Network) (text []byte, name string, err error) {
	entries, err := fs.ReadDir(bundle, manifests)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("cannot look for the manifest of %s: %w", n.Name(), err)
	}
	for _, e := range entries {
		if e.IsDir() || !slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(e.Name())) {
			continue
		}
		name := path.Join(manifests, e.Name())
		text, err := fs.ReadFile(bundle, name)
		if err != nil {
			return nil, "", fmt.Errorf("cannot read the manifest of %s: %w", n.Name(), err)
		}
		if n.Claims(text) {
			return text, name, nil
		}
	}
	return nil, "", hint.With(fmt.Errorf("the bundle holds no manifest of %s below %s/: %w", n.Name(), manifests, fs.ErrNotExist),
		"name it under files in the bundle's manifest, as the profile %s does, and run bundle build again", manifest.DefaultProfile)
}
