package kubeadm

import (
	"errors"
	"path"
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/host"
)

// installable are the networks that this version may have installed: the traces of
// all of them are removed, since a record does not name the network.
func (m *record) installable() cni.Networks { return m.networks.Installable() }

// left lists what the network's pods put on this host since m was begun, as far as
// it is removed entirely. Programs of the package kubernetes-cni were overwritten
// and are kept.
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
