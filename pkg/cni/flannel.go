package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/manifest"
)

// flannel is the network of https://github.com/flannel-io/flannel; what is said
// of it here is so from v0.9 on and was read in the source of v0.14.0.
type flannel struct{}

const netConf = "net-conf.json" // key of the ConfigMap

// networkLogs begins the commands that show why pods do not reach each other; the
// label of the network's pods follows.
const networkLogs = "iptables -S INPUT; iptables -S FORWARD; kubectl --namespace=kube-system logs --selector="

func flannelNetwork() Network {
	const of = manifest.NetworkFlannel
	return Network{
		Name: of, Driver: flannel{},
		DaemonSets: []string{"kube-flannel"}, Configs: []string{"flannel"},
		Hint:    "check that UDP 8472 is open between all hosts: " + networkLogs + "app=flannel",
		Ports:   []Port{flannelPort()},
		PodLink: "cni0",
		Links:   append(flannelLinks(), Link{Name: "cni0", Of: "flannel or CRI-O"}),
		Chains:  flannelChains(),
		Folders: []Folder{flannelFolder()},
		Plugins: []string{flannelPlugin},
		Record:  flannelRecord(),
		Brought: flannelBrought(),
	}
}

// What flanneld makes wherever it runs: canal's does so too.

const flannelPlugin = "flannel"

// flannelPort is that of its backend vxlan, as Linux has it.
func flannelPort() Port {
	return Port{Protocol: UDP, Number: 8472, What: "the pod network", Between: true}
}

// flannelLinks are named after the backend: flannel.1, flannel-wg, flannel0.
func flannelLinks() []Link {
	return []Link{{Name: "flannel", Prefix: true, Of: manifest.NetworkFlannel}}
}

// flannelChains are those of 0.20 and later; earlier ones put rules about the pod
// network straight into the built-in chains.
func flannelChains() []Chain { return []Chain{{Prefix: "FLANNEL-", Of: manifest.NetworkFlannel}} }

func flannelFolder() Folder { return Folder{"/run/flannel", StaysIfBefore} }

// flannelRecord is written by flanneld on each host, for its plugin.
func flannelRecord() Record { return Record{"/run/flannel/subnet.env", "FLANNEL_NETWORK"} }

// flannelBrought: kubernetes-cni has no flannel plugin from 1.0 on. Manifests of
// flannel from v0.15 on have their own image for it.
func flannelBrought() *Plugin {
	return &Plugin{
		Name: flannelPlugin, Until: "1.0", Image: "flannel-cni-plugin",
		Fix: "add kubernetes-cni-0.8.7-0 to packages.roots, or use a manifest of flannel that includes its plugin (v0.15 or later)",
	}
}

// Runs is Driver's: the manifest holds a DaemonSet that runs flanneld. Canal's
// does so too.
func (flannel) Runs(manifest []byte) bool {
	d, err := parse(manifest)
	return err == nil && len(flannelds(d)) > 0
}

// Render is Driver's. It writes the pod CIDR into net-conf.json and tells
// flanneld its interface.
//
// Left alone, flanneld takes the interface of the default route and ends where
// there is none; where there is one it may lead elsewhere than to the other
// hosts. One DaemonSet serves all hosts, whose interfaces may have other names,
// so it is given by the address that the kubelet has registered: --iface takes an
// address too, and status.hostIP is that of the host's node. A manifest that
// names an interface itself keeps it.
func (flannel) Render(manifest []byte, c Cluster) ([]byte, error) {
	d, err := parse(manifest)
	if err == nil {
		err = flannelConfig(d, c.PodCIDR)
	}
	if err == nil {
		err = flannelInterface(d, c)
	}
	var out []byte
	if err == nil {
		out, err = d.bytes()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot adapt the manifest of flannel to this cluster: %w", err)
	}
	return out, nil
}

func flannelConfig(d *document, pods netip.Prefix) error {
	found := false
	for _, o := range d.objects() {
		config := get(o, "data", netConf)
		if text(get(o, "kind")) != configMap || config == nil {
			continue
		}
		changed, err := withNetwork(text(config), pods)
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", config.Line, netConf, err)
		}
		if changed != text(config) {
			d.setText(config, changed)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("it has no ConfigMap with %s", netConf)
	}
	return nil
}

// withNetwork is flannel's configuration with another Network; everything else
// stays as it is, byte for byte.
func withNetwork(conf string, pods netip.Prefix) (string, error) {
	now, err := networkOf(conf)
	if err != nil || now == pods {
		return conf, err
	}
	d := json.NewDecoder(strings.NewReader(conf))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	var out strings.Builder
	rest := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		// encoding/json takes Network in any case, as flanneld does through it.
		if name, _ := key.(string); strings.EqualFold(name, "Network") {
			end := int(d.InputOffset())
			out.WriteString(conf[rest:end-len(value)] + `"` + pods.String() + `"`)
			rest = end
		}
	}
	return out.String() + conf[rest:], nil
}

// networkOf is the Network of flannel's configuration.
func networkOf(conf string) (netip.Prefix, error) {
	var c struct{ Network string }
	if err := json.Unmarshal([]byte(conf), &c); err != nil {
		return netip.Prefix{}, fmt.Errorf("it is not JSON: %w", err)
	}
	if c.Network == "" {
		return netip.Prefix{}, errors.New("it has no Network")
	}
	p, err := netip.ParsePrefix(c.Network)
	if err != nil {
		return p, fmt.Errorf("its Network %q is not a network", c.Network)
	}
	return p, nil
}

func flannelds(d *document) []daemon {
	return daemons(d, func(c *yaml.Node) bool {
		words := append(list(get(c, "command")), list(get(c, "args"))...)
		return slices.ContainsFunc(words, func(w *yaml.Node) bool {
			return strings.HasSuffix(text(w), "flanneld") || strings.HasSuffix(text(w), "-kube-subnet-mgr")
		})
	})
}

func flannelInterface(d *document, c Cluster) error {
	all := flannelds(d)
	if len(all) == 0 {
		return errors.New("it has no DaemonSet that runs flanneld")
	}
	fit := false
	for _, f := range all {
		fit = fit || runsOn(f.pod, c.Arch)
		args := get(f.container, "args")
		if args == nil {
			args = get(f.container, "command")
		}
		if named(list(args)) {
			continue
		}
		iface := c.Interface
		if iface == "" {
			iface = "$(" + nodeIP + ")" // the kubelet fills it in
			d.setField(f.container, nodeIP, hostIP)
		}
		flag := "--iface=" + iface
		if args == get(f.container, "command") {
			args.Content = append(args.Content, scalar(flag)) // behind the program
			d.stuck = true
			continue
		}
		d.prepend(args, scalar(flag), "- "+flag)
	}
	if !fit {
		return fmt.Errorf("it has no DaemonSet for %s", c.Arch)
	}
	return nil
}

// named says that the interface stands there already.
func named(args []*yaml.Node) bool {
	return slices.ContainsFunc(args, func(a *yaml.Node) bool {
		word := strings.TrimLeft(text(a), "-")
		return strings.HasPrefix(word, "iface") || strings.HasPrefix(word, "public-ip")
	})
}

// differs is configured's.
func (flannel) differs(where, key, now, want string) string {
	if key != netConf || sameNetwork(now, want) {
		return ""
	}
	network, _ := networkOf(want)
	before := "now unreadable"
	if was, err := networkOf(now); err == nil {
		before = "now " + was.String()
	}
	return fmt.Sprintf("set the pod network in %s to %s (%s)", where, network, before)
}

// sameNetwork says whether two configurations of flannel have one Network.
func sameNetwork(a, b string) bool {
	if a == b {
		return true
	}
	was, err1 := networkOf(a)
	want, err2 := networkOf(b)
	return err1 == nil && err2 == nil && was == want
}
