package cni

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
)

// calico is the network of https://github.com/projectcalico/calico, with the
// Kubernetes API for its data; what is said of it here holds from v3.14 on and
// was read in the manifests of v3.14.2 and v3.15.0, and in the source of
// calico/node of 2020 (pkg/startup).
type calico struct{}

// Variables of calico-node.
const (
	// poolVariable is the network of the pool that it makes where there is none.
	// In the published manifests it is commented out: calico-node then takes the
	// pod CIDR that kubeadm has written down, or 192.168.0.0/16.
	poolVariable = "CALICO_IPV4POOL_CIDR"
	// addressVariable is the host's address, "autodetect" in the manifests, and
	// methodVariable how it is found.
	addressVariable = "IP"
	methodVariable  = "IP_AUTODETECTION_METHOD"
)

func calicoNetwork() Network {
	const of = manifest.NetworkCalico
	return Network{
		Name: of, Driver: calico{},
		DaemonSets: []string{"calico-node"}, Namespaces: []string{"calico-"}, Configs: []string{"calico"},
		Hint: "check that IP protocol 4 (IP in IP) and TCP 179 are open between all hosts: " + networkLogs + "k8s-app=calico-node",
		Ports: []Port{
			{Protocol: TCP, Number: 179, What: "calico's BGP", Between: true},
			{Protocol: TCP, Number: felixHealth, What: "calico's health check"},
		},
		PodLink: felixLink,
		Links: append(felixLinks(), Link{Name: "vxlan.calico", Of: of}, Link{Name: "wireguard.cali", Of: of},
			Link{Name: "tunl0", Of: of, Module: true}), // of the module ipip
		Chains: felixChains(), Comments: felixComments(), Sets: felixSets(),
		Folders: calicoFolders(), Plugins: calicoPlugins(),
	}
}

// What calico-node makes wherever it runs: canal's does so too.

const (
	felixHealth = 9099
	felixLink   = "cali0123456789a" // the beginning and eleven digits
)

func felixLinks() []Link {
	return []Link{{Name: "cali", Prefix: true, Of: manifest.NetworkCalico}}
}

func felixChains() []Chain { return []Chain{{"cali-", manifest.NetworkCalico, true}} }

func felixComments() []string { return []string{"cali:"} }

// felixSets are of either family.
func felixSets() []string { return []string{"cali4", "cali6"} }

// calicoFolders: nodeagent~uds is its driver for volumes that are sockets.
func calicoFolders() []Folder {
	return []Folder{
		{"/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds", StaysNot},
		{"/run/calico", StaysNot}, {"/run/nodeagent", StaysNot}, {"/var/lib/calico", StaysEmpty},
	}
}

// calicoPlugins are the programs of the image calico/cni.
func calicoPlugins() []string {
	return []string{"bandwidth", "calico", "calico-ipam", flannelPlugin, "host-local", "install", "loopback", "portmap", "tuning"}
}

// Runs is Driver's: the manifest holds a DaemonSet that runs calico-node. Canal's
// does so too.
func (calico) Runs(manifest []byte) bool {
	d, err := parse(manifest)
	return err == nil && len(calicoNodes(d)) > 0
}

// Render is Driver's. It writes the pod CIDR where the published manifests show
// it in a comment, and tells calico-node which address of its host it is to use.
//
// Left alone, it takes that of the first interface it finds, which may lead
// elsewhere than to the other hosts. One DaemonSet serves all hosts, so it is
// told to take the address by which the host reaches the one that the kubelet
// has registered: that one itself, with its mask. A manifest that names an
// address or an interface itself keeps it; can-reach=HOST is another way to let
// it be found, and isolated hosts reach no such HOST.
func (calico) Render(manifest []byte, c Cluster) ([]byte, error) {
	d, err := parse(manifest)
	if err == nil {
		err = calicoNode(d, c)
	}
	var out []byte
	if err == nil {
		out, err = d.bytes()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot adapt the manifest of calico to this cluster: %w", err)
	}
	return out, nil
}

func calicoNode(d *document, c Cluster) error {
	if err := calicoPools(d, c); err != nil {
		return err
	}
	for _, n := range calicoNodes(d) {
		env := envOf(n.container)
		if !searches(env) {
			continue
		}
		if c.Interface != "" { // it takes expressions, not names
			d.setVariable(n.container, methodVariable, "interface=^"+regexp.QuoteMeta(c.Interface)+"$")
			continue
		}
		d.setVariable(n.container, methodVariable, "can-reach=$("+nodeIP+")")
		d.setField(n.container, nodeIP, hostIP) // before it, or it is not put in
	}
	return nil
}

// searches says that calico-node looks for its host's address, and is free in how.
func searches(env *yaml.Node) bool {
	value := func(name string) (string, bool) {
		at := find(env, name)
		if at < 0 {
			return "", false
		}
		v := list(env)[at]
		return text(get(v, "value")), get(v, "valueFrom") != nil
	}
	if address, other := value(addressVariable); other || address != "" && address != "autodetect" {
		return false
	}
	method, other := value(methodVariable)
	return !other && (method == "" || method == "first-found" || strings.HasPrefix(method, "can-reach="))
}

// calicoPools writes the pod CIDR for all that run calico-node, canal's too.
func calicoPools(d *document, c Cluster) error {
	nodes := calicoNodes(d)
	if len(nodes) == 0 {
		return errors.New("it has no DaemonSet that runs calico-node")
	}
	if !slices.ContainsFunc(nodes, func(n daemon) bool { return runsOn(n.pod, c.Arch) }) {
		return fmt.Errorf("it has no DaemonSet for %s", c.Arch)
	}
	for _, n := range nodes {
		d.setVariable(n.container, poolVariable, c.PodCIDR.String())
	}
	return nil
}

func calicoNodes(d *document) []daemon {
	return daemons(d, func(c *yaml.Node) bool { return text(get(c, "name")) == "calico-node" })
}

// settled is keeper's. calico-node makes a pool of addresses once, and leaves it
// when the manifest comes to name another.
func (calico) settled(ctx context.Context, h *host.Host, k kubectl.Client, c Cluster) (what, fix string, err error) {
	var all struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				CIDR     string
				Disabled bool
			}
		}
	}
	_, err = k.Get(ctx, h, &all, nil, "ippools.crd.projectcalico.org")
	if kubectl.NoSuchKind(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	for _, pool := range all.Items {
		network, err := netip.ParsePrefix(pool.Spec.CIDR)
		if err != nil || pool.Spec.Disabled || !network.Addr().Is4() {
			continue
		}
		if network.Overlaps(c.PodCIDR) {
			return "", "", nil
		}
		what = fmt.Sprintf("calico assigns pod addresses from %s, but the pod CIDR of this cluster is %s: IPPool %s", network, c.PodCIDR, pool.Metadata.Name)
		fix = "kubectl --namespace=kube-system delete daemonset/calico-node ippool/" + pool.Metadata.Name
	}
	return what, fix, nil
}
