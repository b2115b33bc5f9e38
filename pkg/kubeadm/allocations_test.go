package kubeadm

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/netfilter"
)

type forgetful struct{}

func (forgetful) File(string, host.FileState, []byte) error { return nil }
func (forgetful) Undo([]string) error                       { return nil }

// TestPodmanStays: what podman notes and its chains are not the cluster's,
// although the same plugins made them.
func TestPodmanStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	podman := []string{
		"/var/lib/cni/networks/podman/10.88.0.5", "/var/lib/cni/results/podman-4f3e-eth0", "/var/lib/cni/cache/results/podman-4f3e-eth0",
	}
	ours := []string{
		"/var/lib/cni/networks/cbr0/10.244.0.2", "/var/lib/cni/results/cbr0-77aa-eth0", "/var/lib/cni/cache/results/cbr0-77aa-eth0", "/var/lib/cni/flannel/77aa",
	}
	w.m.Write(t, cniDir+"/87-podman-bridge.conflist", `{"name": "podman", "plugins": [{"bridge": "cni-podman0"}]}`, cniDir+"/99-broken.conf", "{")
	for _, f := range podman {
		w.m.Write(t, f, "x")
	}
	w.m.Write(t, linkDir+"/eth0/address", "")
	const before = "*nat\n:POSTROUTING ACCEPT [0:0]\n:CNI-HOSTPORT-MASQ - [0:0]\n:CNI-podman1 - [0:0]\n" +
		"-A POSTROUTING -j CNI-HOSTPORT-MASQ\n-A POSTROUTING -s 10.88.0.5/32 -j CNI-podman1\n-A CNI-podman1 ! -d 224.0.0.0/4 -j MASQUERADE\nCOMMIT\n"
	w.m.Write(t, "/run/rules", before)
	m, err := (&Options{Version: "v1.17.4", Cluster: manifest.DefaultCluster()}).newRecord(t.Context(), w.h, verbInit, leftovers{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ours {
		w.m.Write(t, f, "x")
	}
	if bridges, err := madeBridges(w.h, m); err != nil || len(bridges) != 1 || bridges[0] != "cni-podman0" {
		t.Errorf("made since: %v, %v", bridges, err)
	}
	m.Links = append(m.Links, "cni-podman0")
	if bridges, err := madeBridges(w.h, m); err != nil || len(bridges) != 0 {
		t.Errorf("there before: %v, %v", bridges, err)
	}
	w.m.Programs["kubeadm"] = func([]string, string) (string, error) { // as 1.17 does
		return "", os.RemoveAll(w.h.Path(allocationDir))
	}
	h := w.h.With(forgetful{})
	if err := errors.Join(kubeadmReset(t.Context(), h, m), clearAllocations(h, m)); err != nil {
		t.Fatal(err)
	}
	for _, f := range podman {
		if w.m.Read(t, f) != "x" {
			t.Errorf("%s is gone", f)
		}
	}
	for _, f := range append(ours, "/var/lib/cni/networks/cbr0", "/var/lib/cni/flannel") {
		if there, err := w.h.Exists(f); err != nil || there {
			t.Errorf("%s is there: %v", f, err)
		}
	}
	after := strings.Replace(before, "COMMIT", ":CNI-cluster2 - [0:0]\n-A POSTROUTING -s 10.244.0.2/32 -j CNI-cluster2\n-A CNI-HOSTPORT-MASQ -j CNI-cluster2\nCOMMIT", 1)
	m.pods = netip.MustParsePrefix("10.244.0.0/16")
	kept, changed := netfilter.Without(after, m.ofCluster)
	if kept != before || !changed {
		t.Errorf("the rules are\n%s\nwant\n%s", kept, before)
	}
}
