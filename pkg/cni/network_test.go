package cni

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/kubectl"
	"kubecrate/pkg/software/softwaretest"
	"kubecrate/pkg/step"
)

func install(t *testing.T, cidr string) step.Step {
	t.Helper()
	return All().Install(flannelNetwork(), []byte(flannelManifest(t)), pods(cidr))
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	h, _, c := joined(t)
	s := install(t, "10.10.0.0/16")
	if got := look(t, h, s); !strings.HasPrefix(got, "to do: create PodSecurityPolicy psp.flannel.unprivileged; create ClusterRole flannel; ") ||
		!strings.Contains(got, "create DaemonSet kube-system/kube-flannel-ds") {
		t.Errorf("new: %s", got)
	}
	if err := apply(t, h, s); err != nil {
		t.Fatal(err)
	}
	if got := look(t, h, s); got != "done:  () " {
		t.Errorf("applied: %s", got)
	}
	if len(c.objects) != 6 {
		t.Errorf("%d objects", len(c.objects))
	}
}

func TestNetworkStates(t *testing.T) {
	t.Parallel()
	rendered, err := flannel{}.Render([]byte(flannelManifest(t)), pods("10.10.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, old, now string // changed in what is applied
		files          []string
		more           string // objects
		want           string
	}{
		{name: "ok", want: "done:  () "},
		{name: "tuned", old: `"vxlan"`, now: `"host-gw"`, want: "done:  () "},
		{name: "more memory", old: `"50Mi"`, now: `"500Mi"`, want: "done:  () "},
		{name: "another network", old: "10.10.0.0/16", now: "10.244.0.0/16", want: "to do: set the pod network in ConfigMap kube-system/kube-flannel-cfg to 10.10.0.0/16 (now 10.244.0.0/16) () "},
		{name: "unreadable", old: `"Network"`, now: `Network`, want: "to do: set the pod network in ConfigMap kube-system/kube-flannel-cfg to 10.10.0.0/16 (now unreadable) () "},
		{name: "another image", old: "v0.14.0", now: "v0.13.0", want: "to do: DaemonSet kube-system/kube-flannel-ds: set image quay.io/coreos/flannel:v0.14.0 (now quay.io/coreos/flannel:v0.13.0); "},
		{name: "no interface", old: "        - --iface=$(NODE_IP)\n", want: "to do: DaemonSet kube-system/kube-flannel-ds: run kube-flannel with /opt/bin/flanneld --iface=$(NODE_IP) --ip-masq --kube-subnet-mgr (now "},
		{name: "no address", old: "status.hostIP", now: "status.podIP", want: "to do: DaemonSet kube-system/kube-flannel-ds: set variable NODE_IP of kube-flannel () "},
		{name: "no DaemonSet", old: "kind: DaemonSet", now: "kind: Deployment", want: "to do: create DaemonSet kube-system/kube-flannel-ds () "},
		{name: "calico runs", more: "kind: DaemonSet\nmetadata: {name: calico-node, namespace: kube-system}\n",
			want: "impossible: the cluster has network calico already: DaemonSet kube-system/calico-node (kubectl delete daemonset calico-node --namespace=kube-system) "},
		{name: "kube-proxy runs", more: "kind: DaemonSet\nmetadata: {name: kube-proxy, namespace: kube-system}\n", want: "done:  () "},
		{name: "its own files", files: []string{"10-flannel.conflist", "00-multus.conf", "10-calico.conflist.off"}, want: "done:  () "},
		{name: "calico was there", files: []string{"10-calico.conflist", "calico-kubeconfig"},
			want: "impossible: this host has /etc/cni/net.d/10-calico.conflist of network calico: pods would get their addresses from it (mv /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/10-calico.conflist.off) "},
		{name: "containerd's example", files: []string{"10-containerd-net.conflist"},
			want: "impossible: the kubelet uses /etc/cni/net.d/10-containerd-net.conflist before the configuration of flannel: pods would get their addresses from it (mv /etc/cni/net.d/10-containerd-net.conflist "},
		{name: "podman", files: []string{"87-podman-bridge.conflist"}, want: "done:  () the kubelet uses /etc/cni/net.d/87-podman-bridge.conflist until flannel is installed"},
	} {
		h, m, c := joined(t)
		text := string(rendered)
		if x.old != "" && !strings.Contains(text, x.old) {
			t.Fatalf("%s: %q is not there", x.name, x.old)
		}
		if x.old != "" {
			text = strings.ReplaceAll(text, x.old, x.now)
		}
		c.add(t, text)
		c.add(t, x.more)
		for _, f := range x.files {
			m.Write(t, ConfigDir+"/"+f, "{}")
		}
		before := m.State(t)
		s := install(t, "10.10.0.0/16")
		if got := look(t, h, s); !strings.HasPrefix(got, x.want) {
			t.Errorf("%s:\n%s, want\n%s", x.name, got, x.want)
		}
		if m.State(t) != before {
			t.Errorf("%s: a check changed something", x.name)
		}
		err := apply(t, h, s)
		if strings.HasPrefix(x.want, "impossible") != (err != nil) {
			t.Errorf("%s: applied: %v", x.name, err)
		}
		if err == nil && !strings.HasPrefix(look(t, h, s), "done") {
			t.Errorf("%s: after: %s", x.name, look(t, h, s))
		}
	}
}

// TestNetworkRestart: flanneld reads its network when it starts, so that its
// DaemonSet is made anew; a run that is killed in between goes on there.
func TestNetworkRestart(t *testing.T) {
	t.Parallel()
	errKilled := errors.New("killed")
	for at := 0; ; at++ {
		h, m, c := joined(t)
		c.add(t, flannelManifest(t))
		calls := 0
		m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		s := install(t, "10.10.0.0/16")
		err := apply(t, h, s)
		if m.OnCall = nil; err == nil {
			if calls := strings.Join(m.Calls(), "\n"); !strings.Contains(calls, " delete daemonset kube-flannel-ds --namespace=kube-system --ignore-not-found\n") {
				t.Errorf("the calls are\n%s", calls)
			}
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		missing := c.index(map[string]any{"kind": "DaemonSet", "metadata": map[string]any{"name": "kube-flannel-ds"}}) < 0
		if got := look(t, h, s); missing && !strings.Contains(got, "create DaemonSet kube-system/kube-flannel-ds") {
			t.Errorf("killed at %d: %s", at, got)
		}
		if err := apply(t, h, s); err != nil {
			t.Fatalf("after a kill at %d: %v", at, err)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name   string
		change func(*host.Host, *hosttest.Machine, *cluster)
		want   string
		hint   string
	}{
		{"no cluster", func(h *host.Host, _ *hosttest.Machine, _ *cluster) {
			if err := h.Put(kubectl.Admin, host.FileState{Absent: true}); err != nil {
				t.Fatal(err)
			}
		}, "this host is not in a cluster yet: /etc/kubernetes/admin.conf is missing", "./install --role master"},
		{"no kubectl", func(h *host.Host, m *hosttest.Machine, _ *cluster) {
			delete(m.Programs, "kubectl")
			h.Software = softwaretest.Hints{}
		}, "not found", "bring kubectl"},
		{"no API server", func(_ *host.Host, _ *hosttest.Machine, c *cluster) { c.down = true }, "was refused", "systemctl status kubelet"},
	} {
		h, m, c := joined(t)
		x.change(h, m, c)
		_, err := install(t, "10.10.0.0/16").Check(t.Context(), h)
		if err == nil || !strings.Contains(err.Error(), x.want) || !strings.Contains(hint.Of(err), x.hint) {
			t.Errorf("%s: %v (%s)", x.name, err, hint.Of(err))
		}
	}
}

// TestManyValues: nodes, which take a hundred times the memory of their text, are
// not made of a text that has too many. Not parallel: it counts the memory.
func TestManyValues(t *testing.T) {
	for _, each := range []string{"- {}\n", "- - - -\n", "-\u2028"} {
		text := "a:\n" + strings.Repeat(each, maxValues)[:4*maxValues]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parse([]byte(text))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("%q: %v", each, err)
		}
		const most = 100 << 20
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Errorf("%q: %d bytes allocated for %d", each, used, len(text))
		}
	}
}
