package cni

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
)

// Other is a configuration in ConfigDir that is not of the network that is
// to be installed.
type Other struct {
	Path    string
	Network string // whose it is, "" where the name does not tell
	// First is that the kubelet takes it in place of the one to be installed. Any
	// other is taken until that is there.
	First bool
}

// Hint is the command that takes it out of the kubelet's way, without losing it.
func (o Other) Hint() string { return fmt.Sprintf("mv %s %s.off", o.Path, o.Path) }

// Others lists what is in the way of network n on a host. Multus is not: it puts
// itself before another network and uses that.
func (t Networks) Others(h *host.Host, n Network) ([]Other, error) {
	names, err := h.ReadDir(ConfigDir)
	if err != nil {
		return nil, fmt.Errorf("cannot find out which network this host has: %w", err)
	}
	var all []Other
	for _, name := range names {
		if !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(name)) || strings.Contains(name, "multus") {
			continue
		}
		o := Other{Path: path.Join(ConfigDir, name), First: name < n.ConfigFile()}
		for _, k := range t.each() {
			if slices.ContainsFunc(k.Configs, func(part string) bool { return strings.Contains(name, part) }) {
				o.Network = cmp.Or(o.Network, k.Name)
			}
		}
		if o.Network != n.Name {
			all = append(all, o)
		}
	}
	return all, nil
}

// ownerOf is the network whose DaemonSet has that name, "" for none.
func (t Networks) ownerOf(name string) string {
	for _, k := range t.each() {
		if begins(name, k.DaemonSets) {
			return k.Name
		}
	}
	return ""
}

// applied is the DaemonSet of another network in the cluster, nil for none.
func (t Networks) applied(ctx context.Context, h *host.Host, k kubectl.Client, n Network) (*object, error) {
	var all struct{ Items []object }
	if _, err := k.Get(ctx, h, &all, nil, "daemonsets", "--all-namespaces"); err != nil {
		return nil, err
	}
	for _, o := range all.Items {
		if by := t.ownerOf(o.Metadata.Name); by != "" && by != n.Name {
			return &o, nil
		}
	}
	return nil, nil
}
