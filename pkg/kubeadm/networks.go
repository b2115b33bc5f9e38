package kubeadm

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/host"
)

// What the pods of a network put on their host, besides its configuration.
const (
	pluginDir = "/opt/cni/bin"
	// uds is calico's driver for volumes that are sockets.
	uds = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds"
	// tunnelLink comes with the module ipip, so that it cannot be deleted.
	tunnelLink = "tunl0"
)

// plugins are the programs that flannel's and calico's manifests install. Those
// of the package kubernetes-cni among them are written over, and stay.
func plugins() []string {
	return []string{"bandwidth", "calico", "calico-ipam", "flannel", "host-local", "install", "loopback", "portmap", "tuning"}
}

// left lists what the pods of the network put on this host since m was begun.
func left(h *host.Host, m *mark) ([]string, error) {
	list := []string{uds, "/run/calico", "/run/nodeagent"}
	names, err := h.ReadDir(pluginDir)
	for _, name := range names {
		// A mark of an earlier version does not tell what was there.
		if len(m.Plugins) > 0 && slices.Contains(plugins(), name) && !slices.Contains(m.Plugins, name) {
			list = append(list, path.Join(pluginDir, name))
		}
	}
	return list, err
}

// networkLink says whether flannel, calico or a CNI plugin made a link.
func networkLink(name string) bool {
	return slices.Contains([]string{"cni0", "vxlan.calico", "wireguard.cali"}, name) ||
		strings.HasPrefix(name, "flannel.") || strings.HasPrefix(name, "cali")
}

// tunnel takes calico's address from the link of the module ipip, and sets it
// down where it has no other.
func tunnel(ctx context.Context, h *host.Host, m *mark) error {
	if !m.pods.IsValid() {
		return nil
	}
	const ip, dev, address = "ip", "dev", "address"
	ours, err := h.Query(ctx, ip, "-o", "-4", address, "show", dev, tunnelLink, "to", m.pods.String())
	if host.NotFound(err) || err == nil && len(strings.TrimSpace(string(ours))) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := h.Change(ctx, host.Command(ip, address, "flush", dev, tunnelLink, "to", m.pods.String()), nil); err != nil {
		return err
	}
	others, err := h.Query(ctx, ip, "-o", address, "show", dev, tunnelLink)
	if err == nil && len(strings.TrimSpace(string(others))) == 0 {
		err = h.Change(ctx, host.Command(ip, "link", "set", tunnelLink, "down"), nil)
	}
	return err
}

// felixSet says whether a set of addresses is calico's, of either family.
func felixSet(name string) bool {
	return strings.HasPrefix(name, "cali4") || strings.HasPrefix(name, "cali6")
}

// clearNetwork removes what left lists.
func clearNetwork(h *host.Host, m *mark) error {
	list, err := left(h, m)
	errs := []error{err}
	for _, f := range list {
		errs = append(errs, h.Clear(f))
	}
	return errors.Join(errs...)
}
