package kubeadm

import (
	"errors"
	"path"
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
)

// installable are the networks that this version may have given the cluster: what
// any of them left is taken back, since a record does not tell which it was.
func (m *record) installable() cni.Networks { return m.networks.Installable() }

// left lists what the pods of the network put on this host since m was begun, and
// what is removed whole. Programs of the package kubernetes-cni among them were
// written over, and stay.
func left(h *host.Host, m *record) ([]string, error) {
	networks := m.installable()
	var list []string
	for _, f := range networks.Folders() {
		if f.Stays == cni.StaysNot {
			list = append(list, f.Path)
		}
	}
	names, err := h.ReadDir(cni.PluginDir)
	for _, name := range names {
		// A record of an earlier version does not tell what was there.
		if len(m.Plugins) > 0 && networks.HasPlugin(name) && !slices.Contains(m.Plugins, name) {
			list = append(list, path.Join(cni.PluginDir, name))
		}
	}
	return list, err
}

// clearNetwork removes what left lists, and empties the directories that stay.
func clearNetwork(h *host.Host, m *record) error {
	list, err := left(h, m)
	errs := []error{err}
	for _, f := range list {
		errs = append(errs, h.Clear(f))
	}
	for _, f := range m.installable().Folders() {
		if f.Stays != cni.StaysNot {
			errs = append(errs, h.ClearDir(f.Path))
		}
	}
	return errors.Join(errs...)
}
