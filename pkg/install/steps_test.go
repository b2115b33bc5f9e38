package install

import (
	"os"
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/install/target"
)

// TestInterfaceReachesNetwork: the interface that the operator names reaches every
// network that can be installed.
func TestInterfaceReachesNetwork(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	r, err := c.look(t, target.Request{Interface: "bond0"}, nil, "192.168.4.11", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	manifests := map[string]string{
		manifest.NetworkFlannel: "../../manifest/files/kube-flannel-0.14.0.yml", manifest.NetworkCalico: "../cni/testdata/calico.yaml", manifest.NetworkCanal: "../cni/testdata/canal.yaml",
	}
	for _, name := range cni.All().Installable().Names() {
		text, err := os.ReadFile(manifests[name])
		if err != nil {
			t.Errorf("%s: no manifest to test with: %v", name, err)
			continue
		}
		n, err := cni.All().For(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Render(text, r.assembly().networkCluster())
		if err != nil || !strings.Contains(string(got), "bond0") || strings.Contains(string(text), "bond0") {
			t.Errorf("%s does not know the interface: %v", name, err)
		}
	}
	// One that nobody named may have another name elsewhere.
	bare, err := c.look(t, target.Request{}, nil, "192.168.4.11", "", "x")
	if err != nil || bare.assembly().networkCluster().Interface != "" || bare.target.Interface != "eth0" {
		t.Errorf("%v, %+v", err, bare.target)
	}
	if list := cni.All().Installable().Names(); !slices.Contains(list, manifest.NetworkFlannel) {
		t.Errorf("networks %v", list)
	}
}
