package cni

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// Networks is a table of networks. nil is that of this version, All.
type Networks []Network

// All is the table of this version. A network more is one file and one line, and
// its name in package manifest, which says what a manifest may name.
func All() Networks {
	return Networks{
		flannelNetwork(), canalNetwork(), calicoNetwork(),
		weaveNetwork(), ciliumNetwork(), kubeRouterNetwork(), antreaNetwork(), kubeOVNNetwork(), ovnNetwork(),
	}
}

// Installable is the table of those that can be installed: what they leave on a
// host, reset removes.
func (t Networks) Installable() Networks {
	return slices.DeleteFunc(slices.Clone(t.each()), func(n Network) bool { return n.Driver == nil })
}

func (t Networks) each() Networks {
	if t == nil {
		return All()
	}
	return t
}

// Names lists the networks.
func (t Networks) Names() []string {
	var names []string
	for _, n := range t.each() {
		names = append(names, n.Name)
	}
	return names
}

// Find is what is known of a network, which is only its name where the table does
// not have it.
func (t Networks) Find(name string) Network {
	all := t.each()
	if i := slices.IndexFunc(all, func(n Network) bool { return n.Name == name }); i >= 0 {
		return all[i]
	}
	return Network{Name: name}
}

// For is the network that a bundle names. The error of one that cannot be
// installed says which can.
func (t Networks) For(name string) (Network, error) {
	if n := t.Find(name); n.Driver != nil {
		return n, nil
	}
	names := t.Installable().Names()
	return Network{}, hint.With(fmt.Errorf("cannot install network %s: this version of install knows %s", name, strings.Join(names, ", ")),
		"build the bundle with network: %s", names[0])
}

// Claims says whether a manifest is that of n: it runs n, and has no DaemonSet of
// another network.
func (t Networks) Claims(n Network, manifest []byte) bool {
	d, err := parse(manifest)
	return err == nil && !t.foreign(d, n) && n.Runs(manifest)
}

// manifests is where a bundle keeps what is applied to a cluster.
const manifests = "manifests"

// Manifest finds the manifest of n among those of a bundle. The error wraps
// fs.ErrNotExist where it has none.
func (t Networks) Manifest(bundle fs.FS, n Network) (text []byte, name string, err error) {
	entries, err := fs.ReadDir(bundle, manifests)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("cannot find the manifest of %s: %w", n.Name, err)
	}
	for _, e := range entries {
		if e.IsDir() || !slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(e.Name())) {
			continue
		}
		name := path.Join(manifests, e.Name())
		text, err := fs.ReadFile(bundle, name)
		if err != nil {
			return nil, "", fmt.Errorf("cannot read the manifest of %s: %w", n.Name, err)
		}
		if t.Claims(n, text) {
			return text, name, nil
		}
	}
	return nil, "", hint.With(fmt.Errorf("the bundle has no manifest of %s in %s/: %w", n.Name, manifests, fs.ErrNotExist),
		"add it to files in the bundle's manifest, as in the profile %s, and run bundle build again", manifest.DefaultProfile)
}
