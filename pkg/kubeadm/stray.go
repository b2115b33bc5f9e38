package kubeadm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
)

// stray is a pod of this node that has its address from another network.
type stray struct{ namespace, name, address string }

func (p stray) String() string { return p.namespace + "/" + p.name }

// strays are the pods that began before the cluster's network was configured, on
// a host where another configuration, such as podman's, lay in /etc/cni/net.d
// before: the kubelet uses that until then, and such a pod cannot be reached from
// outside the host. Pods without an address are included: they may be about to get
// one. waiting means that the kubelet still uses the other configuration, which it
// does for some seconds after the cluster's is written: dockershim polls every five.
func (s readyStep) strays(ctx context.Context, h *host.Host, kubeconfig string) (list []stray, waiting bool, err error) {
	m, err := readRecord(h)
	if err != nil || m == nil {
		return nil, false, err
	}
	others := configs(m.CNI)
	pods, parseErr := netip.ParsePrefix(m.PodCIDR)
	if len(others) == 0 || parseErr != nil {
		return nil, false, nil
	}
	names, err := h.ReadDir(cniDir)
	if err != nil {
		return nil, false, err
	}
	now := configs(names)
	waiting = len(now) > 0 && (slices.Contains(others, now[0]) || s.isNew(h, path.Join(cniDir, now[0])))
	var all struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Spec     struct{ HostNetwork bool }
			Status   struct{ PodIP string }
		}
	}
	err = through(kubeconfig).Object(ctx, h, "/api/v1/pods?fieldSelector="+url.QueryEscape("spec.nodeName="+s.o.Node), &all)
	if err != nil {
		if errors.Is(err, kubectl.ErrAbsent) {
			return nil, false, nil
		}
		return nil, waiting, err
	}
	for _, p := range all.Items {
		a, err := netip.ParseAddr(p.Status.PodIP)
		if !p.Spec.HostNetwork && (err != nil || !pods.Contains(a)) {
			list = append(list, stray{p.Metadata.Namespace, p.Metadata.Name, p.Status.PodIP})
		}
	}
	return list, waiting, nil
}

// isNew reports whether a file was written too recently for the kubelet to use it. A
// clock that was set back meanwhile counts as no.
func (s readyStep) isNew(h *host.Host, file string) bool {
	limits := s.o.Limits.withDefaults()
	info, err := os.Stat(h.Path(file))
	if err != nil {
		return false // it was removed; the next check sees that
	}
	age := time.Since(info.ModTime())
	return age >= 0 && age < limits.TakeUp
}

// configs are the names that the kubelet takes for configurations of networks.
func configs(names []string) []string {
	var list []string
	for _, n := range names {
		if slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(n)) {
			list = append(list, n)
		}
	}
	return list
}

// addressed are the strays that have an address.
func addressed(list []stray) []stray {
	return slices.DeleteFunc(slices.Clone(list), func(p stray) bool { return p.address == "" })
}

// sayStrays says what is wrong with a node with strays, "" without any.
func sayStrays(list []stray) string {
	var words []string
	for _, p := range addressed(list) {
		words = append(words, fmt.Sprintf("%s (%s)", p, p.address))
	}
	if len(words) == 0 {
		return ""
	}
	return "pods have addresses of another network and are restarted: " + strings.Join(words, ", ")
}

// restart deletes strays, which their controllers recreate. A node may delete
// the pods that are bound to it.
func (s readyStep) restart(ctx context.Context, h *host.Host, list []stray) error {
	kubeconfig, err := s.kubeconfig(h)
	if err != nil {
		return err
	}
	for _, p := range list {
		argv := through(kubeconfig).Command(nil, "delete", "pod", p.name, "--namespace="+p.namespace,
			"--wait=false", "--ignore-not-found")
		if err := h.Change(ctx, argv, nil); err != nil {
			return fmt.Errorf("cannot restart pod %s: %w", p, err)
		}
	}
	return nil
}
