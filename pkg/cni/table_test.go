package cni

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

// TestNames: what a manifest may name is what can be installed.
func TestNames(t *testing.T) {
	t.Parallel()
	got, want := All().Installable().Names(), slices.Clone(manifest.Vocabulary()["network"])
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q can be installed, and manifests may name %q", got, want)
	}
}

// TestLeftovers: what each network leaves on a host is known for its own, and what
// is like it is not.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	type names struct{ links, chains, sets, folders, plugins, namespaces []string }
	for _, c := range []struct {
		table   Networks
		yes, no names
	}{
		{
			Networks{flannelNetwork()},
			names{links: []string{"cni0", "flannel.1", "flannel-v6.1", "flannel-wg"}, chains: []string{"FLANNEL-FWD", "FLANNEL-POSTRTG"}, folders: []string{"/run/flannel"}, plugins: []string{"flannel"}},
			names{links: []string{"cni-podman0", "eth0", "tunl0"}, chains: []string{"CNI-FORWARD", "FLANNEL", "cali-INPUT"}, sets: []string{"cali40s:x", ""}, plugins: []string{"portmap"}},
		},
		{
			Networks{calicoNetwork()},
			names{
				links: []string{"cali123", "vxlan.calico", "wireguard.cali", "tunl0"}, chains: []string{"cali-FORWARD"}, sets: []string{"cali40s:x", "cali60s:x"},
				folders:    []string{"/run/calico", "/run/nodeagent", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds", "/var/lib/calico"},
				namespaces: []string{"calico-system", "calico-apiserver"},
				plugins:    []string{"bandwidth", "calico", "calico-ipam", "flannel", "host-local", "install", "loopback", "portmap", "tuning"},
			},
			names{links: []string{"tunl1", "cni0", "vxlan.calico2"}, chains: []string{"calibre", "KUBE-FORWARD"}, sets: []string{"calibre"}, plugins: []string{"bridge", "my-plugin"}, namespaces: []string{"calico"}},
		},
		{
			Networks{canalNetwork()},
			names{links: []string{"flannel.1", "cali123"}, chains: []string{"cali-FORWARD", "FLANNEL-FWD"}, sets: []string{"cali40s:x"}, folders: []string{"/run/flannel", "/run/calico", "/var/lib/calico"}, plugins: []string{"calico", "flannel"}},
			names{links: []string{"cni0", "tunl0"}, sets: []string{"mine"}, folders: []string{"/var/lib/cni", "/run"}},
		},
		{
			All(),
			names{
				links:  []string{"weave", "vxlan-6784", "vethwe-bridge", "cilium_host", "lxc_health", "kube-bridge", "kube-dummy-if", "antrea-gw0", "ovn0", "ovn-k8s-mp0"},
				chains: []string{"WEAVE-NPC", "CILIUM_INPUT", "OLD_CILIUM_INPUT", "KUBE-ROUTER-INPUT", "KUBE-NWPLCY-X", "KUBE-POD-FW-X", "ANTREA-FORWARD"},
			},
			names{links: []string{"kube-ipvs0", "nodelocaldns", "weave1", "docker0"}, chains: []string{"KUBE-SERVICES", "DOCKER", "INPUT"}, sets: []string{"KUBE-CLUSTER-IP"}, namespaces: []string{"default", "kube"}},
		},
		{All().Installable(), names{}, names{links: []string{"weave", "cilium_host"}, chains: []string{"WEAVE-NPC", "ANTREA-FORWARD"}}},
	} {
		link := func(name string) bool { _, ok := c.table.Link(name); return ok }
		folder := func(p string) bool {
			return slices.ContainsFunc(c.table.Folders(), func(f Folder) bool { return f.Path == p })
		}
		for _, x := range []struct {
			what    string
			has     func(string) bool
			yes, no []string
		}{
			{"link", link, c.yes.links, c.no.links},
			{"chain", c.table.HasChain, c.yes.chains, c.no.chains},
			{"set", c.table.HasSet, c.yes.sets, c.no.sets},
			{"folder", folder, c.yes.folders, c.no.folders},
			{"plugin", c.table.HasPlugin, c.yes.plugins, c.no.plugins},
			{"namespace", c.table.HasNamespace, c.yes.namespaces, c.no.namespaces},
		} {
			for _, name := range x.yes {
				if !x.has(name) {
					t.Errorf("%q: %s %s is not known", c.table.Names(), x.what, name)
				}
			}
			for _, name := range x.no {
				if x.has(name) {
					t.Errorf("%q: %s %q is taken for theirs", c.table.Names(), x.what, name)
				}
			}
		}
	}
	if !All().HasComment("cali:wUHhoiAYhphO9Mso") || All().HasComment("as cali: said") {
		t.Error("calico's comments are not told from others")
	}
}

// TestRemove: a link is deleted; of one that a kernel module brings, only the
// addresses of pods go.
func TestRemove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pods, ours, others string
		run                      []string
	}{
		{"flannel.1", "10.244.0.0/16", "", "", []string{"link delete flannel.1"}},
		{"tunl0", "10.244.0.0/16", "3: tunl0 inet 10.244.7.1/32", "", []string{"address flush dev tunl0 to 10.244.0.0/16", "link set tunl0 down"}},
		{"tunl0", "10.244.0.0/16", "3: tunl0 inet 10.244.7.1/32", "3: tunl0 inet 192.168.9.1/32", []string{"address flush dev tunl0 to 10.244.0.0/16"}},
		{"tunl0", "10.244.0.0/16", "", "3: tunl0 inet 192.168.9.1/32", nil},
		{"tunl0", "", "3: tunl0 inet 10.244.7.1/32", "", nil},
	} {
		h, m := hosttest.New(t)
		h.Recorder = struct{ host.Recorder }{} // whose methods a command does not ask
		var run []string
		m.Programs["ip"] = func(args []string, _ string) (string, error) {
			line := strings.Join(args, " ")
			switch {
			case strings.HasPrefix(line, "-o -4 address show"):
				return c.ours, nil
			case strings.HasPrefix(line, "-o address show"):
				return c.others, nil
			}
			run = append(run, line)
			return "", nil
		}
		l, ok := All().Link(c.name)
		pods, _ := netip.ParsePrefix(c.pods)
		if err := l.Remove(t.Context(), h, c.name, pods); !ok || err != nil || !slices.Equal(run, c.run) {
			t.Errorf("%s: %v, %v, %q, want %q", c.name, ok, err, run, c.run)
		}
		if by := l.RemoveCommand(c.name); l.Module != strings.Contains(by, "flush") || !strings.HasSuffix(by, " "+c.name) {
			t.Errorf("%s: by hand: %s", c.name, by)
		}
	}
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	if got, err := All().Recorded(h); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	m.Write(t, "/run/flannel/subnet.env", "FLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_NETWORK=10.244.0.0/16\n")
	if got, err := All().Recorded(h); got != "10.244.0.0/16" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if !All().Misses("open /run/flannel/subnet.env: no such file or directory") || All().Misses("Pending") {
		t.Error("that the network's pod has not run is not told from other reasons")
	}
}

// mesh is a network that nobody has: what it needs is in the table and nowhere else.
type mesh struct{}

func (mesh) Runs(manifest []byte) bool {
	return slices.ContainsFunc(objectsOf(manifest), func(o object) bool { return o.Metadata.Name == "mesh-agent" })
}

func (mesh) Render(manifest []byte, c Cluster) ([]byte, error) {
	return []byte(strings.ReplaceAll(string(manifest), "PODS", c.PodCIDR.String())), nil
}

// TestMadeUp: a network that is added to the table is known by all that asks it.
func TestMadeUp(t *testing.T) {
	t.Parallel()
	const text = "kind: ConfigMap\nmetadata: {name: mesh, namespace: mesh-system}\ndata: {pods: PODS}\n---\nkind: DaemonSet\nmetadata: {name: mesh-agent, namespace: mesh-system}\n"
	all := append(All(), Network{
		Name: "mesh", Driver: mesh{}, DaemonSets: []string{"mesh-agent"}, Namespaces: []string{"mesh-"}, Configs: []string{"mesh"}, Hint: "mesh doctor",
		Links: []Link{{Name: "mesh", Prefix: true, Of: "mesh"}}, Chains: []Chain{{"MESH-", "mesh", true}}, Sets: []string{"mesh-"}, Record: Record{"/run/mesh/env", "PODS"},
	})
	n, err := all.For("mesh")
	if err != nil || n.Hint != "mesh doctor" || !slices.Contains(all.Installable().Names(), "mesh") {
		t.Fatal(err)
	}
	if _, err := All().For("mesh"); err == nil {
		t.Error("the table of this version has it too")
	}
	if got, name, err := all.Manifest(fstest.MapFS{"manifests/mesh.yaml": {Data: []byte(text)}}, n); err != nil || name != "manifests/mesh.yaml" || string(got) != text {
		t.Errorf("%s, %v", name, err)
	}
	if _, ok := all.Link("mesh7"); !ok || !all.HasChain("MESH-IN") || !all.HasSet("mesh-pods") || !all.HasNamespace("mesh-system") {
		t.Error("what it makes is not known for its own")
	}
	h, m, c := joined(t)
	m.Write(t, ConfigDir+"/10-mesh.conflist", "{}", "/run/mesh/env", "PODS=10.9.0.0/16\n")
	if got, err := all.Recorded(h); got != "10.9.0.0/16" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	s := all.Install(n, []byte(text), pods("10.10.0.0/16"))
	if got := look(t, h, s); !strings.HasPrefix(got, "to do: create ConfigMap mesh-system/mesh; create DaemonSet mesh-system/mesh-agent") {
		t.Error(got)
	}
	if err := apply(t, h, s); err != nil {
		t.Fatal(err)
	}
	if got := look(t, h, s); got != "done:  () " {
		t.Error(got)
	}
	// And it is told from the network that is to be installed.
	f := all.Install(flannelNetwork(), []byte(flannelManifest(t)), pods("10.10.0.0/16"))
	if got := look(t, h, f); !strings.Contains(got, "this host has /etc/cni/net.d/10-mesh.conflist of network mesh") {
		t.Error(got)
	}
	if len(c.objects) != 2 {
		t.Errorf("%d objects", len(c.objects))
	}
}
