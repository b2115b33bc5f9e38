package cni

import (
	"errors"
	"fmt"
	"slices"

	"kubecrate/manifest"
)

// canal is flannel's network with calico's policies, of the manifests that
// calico publishes; what is said of it here was read in those of v3.15.0 and
// v3.16.1.
type canal struct{}

const (
	// canalInterface is the key of the ConfigMap that interfaceVariable is read
	// from; "" is that of the default route.
	canalInterface    = "canal_iface"
	interfaceVariable = "FLANNELD_IFACE"
)

func canalNetwork() Network {
	const of = manifest.NetworkCanal
	return Network{
		Name: of, Driver: canal{},
		DaemonSets: []string{"canal"}, Configs: []string{"canal"},
		Hint:    "check that UDP 8472 is open between all hosts: " + networkLogs + "k8s-app=canal --container=kube-flannel",
		Ports:   []Port{flannelPort(), {Protocol: TCP, Number: felixHealth, What: "canal's health check"}},
		PodLink: felixLink,
		Links:   append(flannelLinks(), felixLinks()...),
		Chains:  append(flannelChains(), felixChains()...), Comments: felixComments(), Sets: felixSets(),
		Folders: append(calicoFolders(), flannelFolder()), Plugins: calicoPlugins(),
		Record: flannelRecord(), Brought: flannelBrought(),
	}
}

// Runs is Driver's: the manifest holds a DaemonSet that runs flanneld beside
// calico-node.
func (canal) Runs(manifest []byte) bool {
	d, err := parse(manifest)
	return err == nil && len(calicoNodes(d)) > 0 && len(flannelds(d)) > 0
}

// Render is Driver's. It writes the pod CIDR into net-conf.json, which pods get
// their addresses by, and where calico-node reads it, which hides addresses
// that leave it. An interface goes into canal_iface; without one, flanneld is
// told the address that the kubelet has registered, as flannel's is, in place of
// the empty canal_iface.
func (canal) Render(manifest []byte, c Cluster) ([]byte, error) {
	d, err := parse(manifest)
	if err == nil {
		err = flannelConfig(d, c.PodCIDR)
	}
	if err == nil {
		err = calicoPools(d, c)
	}
	if err == nil {
		err = canalFlanneld(d, c)
	}
	var out []byte
	if err == nil {
		out, err = d.bytes()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot adapt the manifest of canal to this cluster: %w", err)
	}
	return out, nil
}

func canalFlanneld(d *document, c Cluster) error {
	all := flannelds(d)
	if len(all) == 0 {
		return errors.New("it has no DaemonSet that runs flanneld")
	}
	inConfig := false // the interface is in the ConfigMap
	for _, o := range d.objects() {
		iface := get(o, "data", canalInterface)
		if text(get(o, "kind")) != configMap || iface == nil {
			continue
		}
		if c.Interface != "" && text(iface) == "" {
			d.setText(iface, c.Interface)
		}
		inConfig = inConfig || text(iface) != ""
	}
	for _, f := range all {
		if inConfig || named(slices.Concat(list(get(f.container, "command")), list(get(f.container, "args")))) {
			continue
		}
		env := envOf(f.container)
		at := find(env, interfaceVariable)
		switch {
		case at >= 0 && text(get(list(env)[at], "value")) != "":
		case c.Interface != "":
			d.setVariable(f.container, interfaceVariable, c.Interface)
		default:
			d.setField(f.container, interfaceVariable, hostIP)
		}
	}
	return nil
}

// differs is configured's.
func (canal) differs(where, key, now, want string) string {
	if key == canalInterface && want != "" && now != want {
		return fmt.Sprintf("set the interface in %s to %s (now %q)", where, want, now)
	}
	return flannel{}.differs(where, key, now, want)
}
