package cni

import (
	"strings"
	"testing"
)

const networkLines = "-\"Network\": \"10.244.0.0/16\",\n+\"Network\": \"10.10.0.0/16\",\n"

func TestCanalRender(t *testing.T) {
	t.Parallel()
	base := example(t, "canal.yaml")
	const fromConfig = "              valueFrom:\n                configMapKeyRef:\n                  name: canal-config\n                  key: canal_iface\n"
	for _, c := range []struct {
		name, old, new string // of the manifest
		cluster        Cluster
		want           string
	}{
		{"as published", "", "", pods("10.10.0.0/16"),
			networkLines + poolLines + "-configMapKeyRef:\n-name: canal-config\n-key: canal_iface\n+fieldRef:\n+fieldPath: status.hostIP\n"},
		{"an interface", "", "", onEth1("10.10.0.0/16"), "-canal_iface: \"\"\n+canal_iface: \"eth1\"\n" + networkLines + poolLines},
		{"an interface of its own", `canal_iface: ""`, "canal_iface: ens3", onEth1("10.10.0.0/16"), networkLines + poolLines},
		{"an interface for flanneld", fromConfig, "              value: ens3\n", pods("10.10.0.0/16"), networkLines + poolLines},
		{"an argument", `"--ip-masq",`, `"--iface=ens3",`, pods("10.10.0.0/16"), networkLines + poolLines},
		{"not asked for", "            - name: FLANNELD_IFACE\n" + fromConfig, "", pods("10.10.0.0/16"),
			networkLines + poolLines + "+- name: FLANNELD_IFACE\n+valueFrom:\n+fieldRef:\n+fieldPath: status.hostIP\n"},
		{"not to be told", `  canal_iface: ""` + "\n", "", onEth1("10.10.0.0/16"),
			networkLines + poolLines + "-valueFrom:\n-configMapKeyRef:\n-name: canal-config\n-key: canal_iface\n+value: \"eth1\"\n"},
	} {
		in := base
		if c.old != "" {
			in = strings.Replace(base, c.old, c.new, 1)
		}
		got, err := canal{}.Render([]byte(in), c.cluster)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := diff(in, string(got)); d != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, d, c.want)
		}
	}
}

func TestCanalRefuses(t *testing.T) {
	t.Parallel()
	base := example(t, "canal.yaml")
	for name, c := range map[string]struct{ in, want string }{
		"no YAML":      {"a: [", "it is not YAML"},
		"no network":   {strings.Replace(base, "net-conf.json", "x", 1), "no ConfigMap with net-conf.json"},
		"no policies":  {strings.Replace(base, "- name: calico-node", "- name: other", 1), "no DaemonSet that runs calico-node"},
		"no addresses": {strings.Replace(base, `[ "/opt/bin/flanneld", "--ip-masq", "--kube-subnet-mgr" ]`, "[ x ]", 1), "no DaemonSet that runs flanneld"},
	} {
		_, err := canal{}.Render([]byte(c.in), pods("10.10.0.0/16"))
		if err == nil || !strings.Contains(err.Error(), "cannot adapt the manifest of canal to this cluster: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestCanalInterface: flanneld reads canal_iface when it starts, so that its
// DaemonSet is made anew for another one.
func TestCanalInterface(t *testing.T) {
	t.Parallel()
	h, m, k := joined(t)
	k.add(t, example(t, "canal.yaml"))
	s := All().Install(canalNetwork(), []byte(example(t, "canal.yaml")), onEth1("10.244.0.0/16"))
	const want = `to do: set the interface in ConfigMap kube-system/canal-config to eth1 (now ""); DaemonSet kube-system/canal: set variable CALICO_IPV4POOL_CIDR of calico-node () `
	if got := look(t, h, s); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := apply(t, h, s); err != nil {
		t.Fatal(err)
	}
	if calls := strings.Join(m.Calls(), "\n"); !strings.Contains(calls, " delete daemonset canal --namespace=kube-system --ignore-not-found\n") {
		t.Errorf("the calls are\n%s", calls)
	}
	if got := look(t, h, s); got != "done:  () " {
		t.Errorf("after: %s", got)
	}
}

// FuzzRender: what comes out of Render is as wanted, so that rendered again it
// stays.
func FuzzRender(f *testing.F) {
	for _, name := range []string{"calico.yaml", "canal.yaml"} {
		text := example(f, name)
		f.Add(text, "")
		f.Add(text[strings.Index(text, "kind: DaemonSet"):], "eth1")
	}
	f.Add("kind: List\nitems:\n- {kind: DaemonSet, spec: {template: {spec: {containers: [&a {name: calico-node}, *a]}}}}\n", "")
	f.Add("kind: DaemonSet\nspec: {template: {spec: {containers: [{name: calico-node, env: [{name: IP, value: x}, {name: CALICO_IPV4POOL_CIDR}]}]}}}\n", "")
	f.Fuzz(func(t *testing.T, text, iface string) {
		c := pods("10.10.0.0/16")
		c.Interface = iface
		for _, n := range []Network{calicoNetwork(), canalNetwork()} {
			out, err := n.Render([]byte(text), c)
			if err != nil {
				continue
			}
			again, err := n.Render(out, c)
			if err != nil || string(again) != string(out) {
				t.Errorf("%s: %q becomes %q, and that %q, %v", n.Name, text, out, again, err)
			}
		}
	})
}
