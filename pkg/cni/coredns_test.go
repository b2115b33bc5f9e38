package cni

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// coredns are the objects that kubeadm makes of it.
func coredns(corefile string, started bool) string {
	status := "{}"
	if started {
		status = "{containerStatuses: [{name: coredns, ready: false}]}"
	}
	return fmt.Sprintf("kind: ConfigMap\napiVersion: v1\nmetadata: {name: coredns, namespace: kube-system, resourceVersion: \"181\", uid: u}\ndata:\n  Other: kept\n  Corefile: %q\n"+
		"---\nkind: Pod\nmetadata: {name: coredns-1, namespace: kube-system}\nstatus: %s\n", corefile, status)
}

func TestDNS(t *testing.T) {
	t.Parallel()
	const todo = "to do: stop CoreDNS from forwarding to nameservers outside the cluster: "
	fixed := withoutHost(kubeadmCorefile)
	for _, x := range []struct {
		name     string
		files    []string
		corefile string
		want     string
	}{
		{"a nameserver", []string{hostResolver, "nameserver 10.0.0.2\n"}, kubeadmCorefile, "done:  () "},
		{"no file", nil, kubeadmCorefile, todo + "this host has no /etc/resolv.conf () "},
		{"an empty file", []string{hostResolver, ""}, kubeadmCorefile, todo + "/etc/resolv.conf lists none () "},
		{"only loopback", []string{hostResolver, "nameserver 127.0.0.1\n"}, kubeadmCorefile, todo + "/etc/resolv.conf lists only 127.0.0.1, which a pod cannot reach () "},
		{"done before", nil, fixed, "done:  () "},
		{"an upstream of the operator's", nil, strings.Replace(kubeadmCorefile, hostResolver, "10.0.0.2", 1), "done:  () "},
		{"systemd-resolved", []string{hostResolver, "nameserver 127.0.0.53\n", "/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\n",
			kubeletFlags, `KUBELET_KUBEADM_ARGS="--network-plugin=cni --resolv-conf=/run/systemd/resolve/resolv.conf"` + "\n"}, kubeadmCorefile, "done:  () "},
		{"a kubelet without", []string{hostResolver, "nameserver 10.0.0.2\n", kubeletExtra, "#--resolv-conf=/x\nKUBELET_EXTRA_ARGS=--resolv-conf=\n"},
			kubeadmCorefile, todo + "the kubelet passes none to its pods () "},
		{"the kubelet's configuration", []string{hostResolver, "", kubeletConfig, "kind: KubeletConfiguration\nresolvConf: /etc/resolv.kubelet\n",
			"/etc/resolv.kubelet", "nameserver 10.0.0.2\n"}, kubeadmCorefile, "done:  () "},
		{"no CoreDNS", nil, "", "done:  () the cluster has no ConfigMap kube-system/coredns"},
	} {
		h, m, c := joined(t)
		m.Write(t, x.files...)
		if x.corefile != "" {
			c.add(t, coredns(x.corefile, true))
		}
		before := m.State(t)
		if got := look(t, h, DNS()); !strings.HasPrefix(got, x.want) {
			t.Errorf("%s:\n%s, want\n%s", x.name, got, x.want)
		}
		if m.State(t) != before || x.name == "a nameserver" && len(m.Calls()) > 0 {
			t.Errorf("%s: changed, or called %v", x.name, m.Calls())
		}
		if err := apply(t, h, DNS()); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		if !strings.HasPrefix(x.want, todo) {
			if c.restarts > 0 {
				t.Errorf("%s: restarted", x.name)
			}
			continue
		}
		now := c.objects[c.index(map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": "coredns"}})]
		if field(now, "data", "Corefile") != fixed || field(now, "data", "Other") != "kept" || field(now, "metadata", "resourceVersion") != "181" || c.restarts != 1 {
			t.Errorf("%s: %v, %d restarts", x.name, now, c.restarts)
		}
		if got := look(t, h, DNS()); !strings.HasPrefix(got, "done") {
			t.Errorf("%s: after: %s", x.name, got)
		}
	}
}

// TestDNSBeforeNetwork: CoreDNS that has not started yet need not start again.
func TestDNSBeforeNetwork(t *testing.T) {
	t.Parallel()
	h, _, c := joined(t)
	c.add(t, coredns(kubeadmCorefile, false))
	if err := apply(t, h, DNS()); err != nil || c.restarts != 0 {
		t.Errorf("%v, %d restarts", err, c.restarts)
	}
}

func TestDNSKilled(t *testing.T) {
	t.Parallel()
	errKilled := errors.New("killed")
	for at := 0; ; at++ {
		h, m, c := joined(t)
		c.add(t, coredns(kubeadmCorefile, true))
		calls := 0
		m.OnCall = func(string) error {
			if calls++; calls > at {
				return errKilled
			}
			return nil
		}
		err := apply(t, h, DNS())
		if m.OnCall = nil; err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if err := apply(t, h, DNS()); err != nil || !strings.HasPrefix(look(t, h, DNS()), "done") {
			t.Errorf("after a kill at %d: %v", at, err)
		}
	}
}
