// Package cni gives a cluster its pod network and its DNS what an isolated host
// needs. All that is known of a network stands in its file: how its manifest is
// fitted to a cluster, and what it needs, makes and leaves on a host. Networks
// lists them, and every other package asks that table.
//
// A manifest is changed in its lines and in its tree at once: the YAML library
// alone would rewrite all of it, and it would be impossible to compare what a cluster got
// with what its project published.
package cni

import "net/netip"

// Network is a pod network and what is known of it. What is left out is not
// known, or there is none.
type Network struct {
	Name   string
	Driver // installs it; nil for a network that is only recognised

	// In a cluster.

	DaemonSets []string // how the names of its DaemonSets begin
	Namespaces []string // how the names of the namespaces of its pods begin, kube-* left out
	Hint       string   // what helps where pods do not reach each other

	// On a host.

	Ports    []Port
	PodLink  string   // a link by which a pod's packets come to its host
	Configs  []string // parts of the names of its files in ConfigDir
	Links    []Link   // that it makes
	Chains   []Chain  // of netfilter, that it makes
	Comments []string // how the comments of its rules in the built-in chains begin
	Sets     []string // how the names of its sets of addresses begin
	Folders  []Folder // that its pods fill
	Plugins  []string // programs that its pods put into PluginDir
	Record   Record   // where its pods note the network of all pods
	Brought  *Plugin  // a program that the package kubernetes-cni may lack
}

// Driver fits the manifest of one network to a cluster.
type Driver interface {
	// Runs says whether a manifest holds a DaemonSet that runs this network. That
	// of another network may do so too, see Networks.Claims.
	Runs(manifest []byte) bool
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

// Where the kubelet and its runtime look for networks.
const (
	// ConfigDir holds the configurations of networks: the first by name is taken.
	ConfigDir = "/etc/cni/net.d"
	// PluginDir holds the programs that the configurations name.
	PluginDir = "/opt/cni/bin"
)

// ConfigFile is the name in ConfigDir under which the network is configured.
func (n Network) ConfigFile() string { return "10-" + n.Name + ".conflist" }

// Between lists the ports that hosts reach on each other.
func (n Network) Between() []Port {
	var list []Port
	for _, p := range n.Ports {
		if p.Between {
			list = append(list, p)
		}
	}
	return list
}
