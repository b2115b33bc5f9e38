package kubeadm

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/cni"
)

// mesh is a network that only a table has.
type mesh struct{ cni.Driver }

func withMesh() cni.Networks {
	return append(cni.All(), cni.Network{
		Name: "mesh", Driver: mesh{},
		Links:   []cni.Link{{Name: "mesh", Prefix: true, Of: "mesh"}},
		Chains:  []cni.Chain{{Prefix: "MESH-", Of: "mesh"}},
		Sets:    []string{"mesh-"},
		Folders: []cni.Folder{{Path: "/run/mesh", Stays: cni.StaysIfBefore}, {Path: "/run/meshed", Stays: cni.StaysNot}, {Path: "/var/lib/mesh", Stays: cni.StaysEmpty}},
		Plugins: []string{"meshed"},
	})
}

// TestNetworkLeft: what each network leaves on a host goes with the cluster, that
// of one which only the table has too; what was there before stays.
func TestNetworkLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		table                             cni.Networks
		links, plugins, sets, chains      []string
		emptied, gone, stays, staysPlugin []string
	}{
		"flannel": {
			links: []string{"cni0", "flannel.1", "flannel-v6.1"}, plugins: []string{"flannel"}, chains: []string{"FLANNEL-FWD"},
			gone: []string{"/run/flannel"}, stays: []string{"weave", "mesh0"}, staysPlugin: []string{"meshed"},
		},
		"canal": {
			links: []string{"flannel.1", "cali0a1b2c3d4e5"}, plugins: []string{"calico", "calico-ipam", "flannel", "tuning"}, sets: []string{"cali40s:x"}, chains: []string{"cali-FORWARD", "FLANNEL-FWD"},
			emptied: []string{"/var/lib/calico"}, gone: []string{"/run/flannel", "/run/calico"},
		},
		"made up": {
			table: withMesh(), links: []string{"mesh0"}, plugins: []string{"meshed"}, sets: []string{"mesh-pods"}, chains: []string{"MESH-IN"},
			emptied: []string{"/var/lib/mesh"}, gone: []string{"/run/mesh", "/run/meshed"}, stays: []string{"weave"},
		},
	} {
		w := newWorld(t)
		const first = "*filter\n:INPUT ACCEPT [0:0]\n:MINE - [0:0]\n-A INPUT -j MINE\nCOMMIT\n"
		w.m.Write(t, cni.PluginDir+"/portmap", "", "/sys/class/net/eth0/address", "", "/run/rules", first)
		w.m.Programs["ipset"] = func([]string, string) (string, error) { return strings.Join(append(c.sets, "mine"), "\n"), nil }
		w.m.Programs["ipvsadm"] = func([]string, string) (string, error) { return "", nil }
		w.networks = c.table
		o := options()
		o.Networks = c.table
		if err := w.run(Init(o)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rules := first
		for _, chain := range c.chains {
			rules = strings.Replace(rules, "-A INPUT", ":"+chain+" - [0:0]\n-A INPUT", 1)
			rules = strings.Replace(rules, "COMMIT", "-A "+chain+" -j MINE\n-A INPUT -j "+chain+"\nCOMMIT", 1)
		}
		w.m.Write(t, "/run/rules", rules)
		for _, l := range append(c.links, c.stays...) {
			w.m.Write(t, "/sys/class/net/"+l+"/address", "")
		}
		for _, p := range append(c.plugins, c.staysPlugin...) {
			w.m.Write(t, cni.PluginDir+"/"+p, "")
		}
		for _, f := range append(c.emptied, c.gone...) {
			w.m.Write(t, f+"/x", "")
		}
		if err := w.undo(Init(Options{})); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		links := append([]string{"eth0"}, c.stays...)
		slices.Sort(links)
		for dir, want := range map[string][]string{"/sys/class/net": links, cni.PluginDir: append(slices.Clone(c.staysPlugin), "portmap")} {
			if names, err := w.h.ReadDir(dir); err != nil || !slices.Equal(names, want) {
				t.Errorf("%s: %s holds %q, want %q (%v)", name, dir, names, want, err)
			}
		}
		for _, f := range append(c.emptied, c.gone...) {
			want := slices.Contains(c.emptied, f)
			there, err := w.h.Exists(f)
			names, readErr := w.h.ReadDir(f)
			if err != nil || readErr != nil || there != want || len(names) > 0 {
				t.Errorf("%s: %s is there: %v, with %q (%v, %v)", name, f, there, names, err, readErr)
			}
		}
		if got := w.m.Read(t, "/run/rules"); got != first {
			t.Errorf("%s: the rules are\n%s", name, got)
		}
		if got := w.called("ipset destroy"); got != len(c.sets) {
			t.Errorf("%s: %d sets were removed", name, got)
		}
	}
}
