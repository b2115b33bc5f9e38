package cni

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kubecrate/pkg/host/hosttest"
)

func example(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// published is a real manifest of the folder beside the repository, "" without.
func published(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../shared/data/manifests", name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// onEth1 is a cluster whose hosts reach each other through eth1.
func onEth1(cidr string) Cluster {
	c := pods(cidr)
	c.Interface = "eth1"
	return c
}

// diff lists the lines that b has in place of others of a, with - and +, without
// the indentation.
func diff(a, b string) string {
	was, now := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	for len(was) > 0 && len(now) > 0 && was[0] == now[0] {
		was, now = was[1:], now[1:]
	}
	common := make([][]int16, len(was)+1) // of the lines from i and from j, at most
	for i := range common {
		common[i] = make([]int16, len(now)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(now) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if was[i] == now[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < len(was) || j < len(now); {
		switch {
		case i < len(was) && j < len(now) && was[i] == now[j]:
			i, j = i+1, j+1
		case j == len(now) || i < len(was) && common[i+1][j] >= common[i][j+1]:
			out.WriteString("-" + strings.TrimSpace(was[i]) + "\n")
			i++
		default:
			out.WriteString("+" + strings.TrimSpace(now[j]) + "\n")
			j++
		}
	}
	return out.String()
}

const (
	poolLines   = "-# - name: CALICO_IPV4POOL_CIDR\n-#   value: \"192.168.0.0/16\"\n+- name: CALICO_IPV4POOL_CIDR\n+value: \"10.10.0.0/16\"\n"
	nodeLines   = "+- name: NODE_IP\n+valueFrom:\n+fieldRef:\n+fieldPath: status.hostIP\n"
	methodLines = "+- name: IP_AUTODETECTION_METHOD\n+value: \"can-reach=$(NODE_IP)\"\n"
	eth1Lines   = "+- name: IP_AUTODETECTION_METHOD\n+value: \"interface=^eth1$\"\n"
)

const (
	beforeIP  = "            - name: IP\n              value: \"autodetect\"\n"
	ownMethod = "            - name: IP_AUTODETECTION_METHOD\n              value: "
)

func TestCalicoRender(t *testing.T) {
	t.Parallel()
	base := example(t, "calico.yaml")
	for _, c := range []struct {
		name, old, new string // of the manifest
		cluster        Cluster
		want           string
	}{
		{"as published", "", "", pods("10.10.0.0/16"), nodeLines + methodLines + poolLines},
		{"an interface", "", "", onEth1("10.10.0.0/16"), eth1Lines + poolLines},
		{"a pool", "# - name: CALICO_IPV4POOL_CIDR\n            #   value", "- name: CALICO_IPV4POOL_CIDR\n              value", pods("10.10.0.0/16"),
			nodeLines + methodLines + "-value: \"192.168.0.0/16\"\n+value: \"10.10.0.0/16\"\n"},
		{"the same pool", "# - name: CALICO_IPV4POOL_CIDR\n            #   value: \"192.168.0.0/16\"", "- name: CALICO_IPV4POOL_CIDR\n              value: 10.10.0.0/16", pods("10.10.0.0/16"),
			nodeLines + methodLines},
		{"no pool to be seen", "            # - name: CALICO_IPV4POOL_CIDR\n            #   value: \"192.168.0.0/16\"\n", "", onEth1("10.10.0.0/16"),
			eth1Lines + "+- name: CALICO_IPV4POOL_CIDR\n+value: \"10.10.0.0/16\"\n"},
		{"half a comment", "            #   value: \"192.168.0.0/16\"\n", "", onEth1("10.10.0.0/16"),
			eth1Lines + "+- name: CALICO_IPV4POOL_CIDR\n+value: \"10.10.0.0/16\"\n"},
		{"a host outside", beforeIP, ownMethod + "can-reach=www.google.com\n" + beforeIP, pods("10.10.0.0/16"),
			nodeLines + "-value: can-reach=www.google.com\n+value: \"can-reach=$(NODE_IP)\"\n" + poolLines},
		{"a host outside, and an interface", beforeIP, ownMethod + "can-reach=www.google.com\n" + beforeIP, onEth1("10.10.0.0/16"),
			"-value: can-reach=www.google.com\n+value: \"interface=^eth1$\"\n" + poolLines},
		{"an interface of its own", beforeIP, ownMethod + "\"interface=eth.*\"\n" + beforeIP, pods("10.10.0.0/16"), poolLines},
		{"an address of its own", beforeIP, strings.Replace(beforeIP, `value: "autodetect"`, "valueFrom: {fieldRef: {fieldPath: status.hostIP}}", 1), pods("10.10.0.0/16"), poolLines},
		{"no address", `"autodetect"`, `"none"`, pods("10.10.0.0/16"), poolLines},
	} {
		in := base
		if c.old != "" {
			in = strings.Replace(base, c.old, c.new, 1)
		}
		for _, end := range []string{"\n", "\r\n"} {
			in := strings.ReplaceAll(in, "\n", end)
			got, err := calico{}.Render([]byte(in), c.cluster)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if d := diff(in, string(got)); d != c.want {
				t.Errorf("%s:\n%swant\n%s", c.name, d, c.want)
			}
		}
	}
}

// TestCalicoFlow renders what cannot be changed line by line.
func TestCalicoFlow(t *testing.T) {
	t.Parallel()
	in := "kind: List\nitems:\n- kind: DaemonSet\n  metadata: {name: calico-node}\n  spec: {template: {spec: {containers: [{name: calico-node, env: [{name: IP, value: autodetect}]}]}}}\n"
	got, err := calico{}.Render([]byte(in), pods("10.10.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objectsOf(got) {
		for _, c := range o.containers() {
			for _, v := range c.Env {
				names = append(names, v.Name+"="+v.Value+v.ValueFrom.FieldRef.FieldPath)
			}
		}
	}
	want := []string{"NODE_IP=status.hostIP", "IP_AUTODETECTION_METHOD=can-reach=$(NODE_IP)", "CALICO_IPV4POOL_CIDR=10.10.0.0/16", "IP=autodetect"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestCalicoRefuses(t *testing.T) {
	t.Parallel()
	base := example(t, "calico.yaml")
	for name, c := range map[string]struct{ in, want string }{
		"no YAML":              {"a: [", "it is not YAML"},
		"no daemon":            {strings.Replace(base, "- name: calico-node", "- name: other", 1), "no DaemonSet that runs calico-node"},
		"another architecture": {strings.Replace(base, "kubernetes.io/os: linux", "kubernetes.io/arch: arm64", 1), "it has no DaemonSet for amd64"},
	} {
		_, err := calico{}.Render([]byte(c.in), pods("10.10.0.0/16"))
		if err == nil || !strings.Contains(err.Error(), "cannot adapt the manifest of calico to this cluster: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestPublished renders the real manifests.
func TestPublished(t *testing.T) {
	t.Parallel()
	flannelLines := func(was string) string {
		return `-"Network": "` + was + `",` + "\n" + `+"Network": "10.10.0.0/16",` + "\n"
	}
	const noInterface = "-configMapKeyRef:\n-name: canal-config\n-key: canal_iface\n+fieldRef:\n+fieldPath: status.hostIP\n"
	for _, c := range []struct {
		name    string
		network Network
		cluster Cluster
		want    string
	}{
		{"calico-v3.15.0.yaml", calicoNetwork(), pods("10.10.0.0/16"), nodeLines + "-value: can-reach=www.google.com\n+value: \"can-reach=$(NODE_IP)\"\n" + poolLines},
		{"calico-v3.15.0.yaml", calicoNetwork(), onEth1("10.10.0.0/16"), "-value: can-reach=www.google.com\n+value: \"interface=^eth1$\"\n" + poolLines},
		{"calico-v3.14.2-private-registry.yaml", calicoNetwork(), pods("10.10.0.0/16"), "-value: \"10.244.0.0/16\"\n+value: \"10.10.0.0/16\"\n"},
		{"canal-v3.15.0.yaml", canalNetwork(), pods("10.10.0.0/16"), flannelLines("10.244.0.0/16") + poolLines + noInterface},
		{"canal-v3.15.0.yaml", canalNetwork(), onEth1("10.10.0.0/16"), "-canal_iface: \"\"\n+canal_iface: \"eth1\"\n" + flannelLines("10.244.0.0/16") + poolLines},
		{"canal-v3.16.1.yaml", canalNetwork(), pods("10.10.0.0/16"), flannelLines("172.20.0.0/16") + "-value: \"10.68.0.0/16\"\n+value: \"10.10.0.0/16\"\n" + noInterface},
	} {
		in := published(t, c.name)
		if in == "" {
			t.Skipf("%s is not there", c.name)
		}
		got, err := c.network.Render([]byte(in), c.cluster)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := diff(in, string(got)); d != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, d, c.want)
		}
	}
}

// TestClaims: each manifest is that of one network.
func TestClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"calico", example(t, "calico.yaml"), "calico"},
		{"canal", example(t, "canal.yaml"), "canal"},
		{"flannel", flannelManifest(t), "flannel"},
		{"calico-v3.15.0", published(t, "calico-v3.15.0.yaml"), "calico"},
		{"calico-v3.14.2", published(t, "calico-v3.14.2-private-registry.yaml"), "calico"},
		{"canal-v3.15.0", published(t, "canal-v3.15.0.yaml"), "canal"},
		{"canal-v3.16.1", published(t, "canal-v3.16.1.yaml"), "canal"},
		{"flannel-v0.20.2", published(t, "kube-flannel-v0.20.2.yml"), "flannel"},
		{"no YAML", "a: [", ""},
		{"none", "kind: DaemonSet\nmetadata: {name: x}\n", ""},
	} {
		var got []string
		for _, n := range All().Installable().each() {
			if All().Claims(n, []byte(c.text)) {
				got = append(got, n.Name)
			}
		}
		if strings.Join(got, " ") != c.want && c.text != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func pool(name, cidr, more string) string {
	return "kind: IPPool\nmetadata: {name: " + name + "}\nspec: {cidr: " + cidr + more + "}\n---\n"
}

func TestCalicoPools(t *testing.T) {
	t.Parallel()
	const settled = "impossible: calico assigns pod addresses from 192.168.0.0/16, but the pod CIDR of this cluster is 10.10.0.0/16: IPPool default-ipv4-ippool " +
		"(kubectl --namespace=kube-system delete daemonset/calico-node ippool/default-ipv4-ippool) "
	for _, c := range []struct{ name, objects, want string }{
		{"no pool yet", "", "to do: "},
		{"the pods' own", pool("default-ipv4-ippool", "10.10.0.0/16", ""), "to do: "},
		{"a part of it", pool("a", "10.10.128.0/17", ""), "to do: "},
		{"another", pool("default-ipv4-ippool", "192.168.0.0/16", ""), settled},
		{"another, not used", pool("a", "192.168.0.0/16", ", disabled: true"), "to do: "},
		{"another beside it", pool("a", "192.168.0.0/16", "") + pool("b", "10.10.0.0/16", ""), "to do: "},
		{"another with IPv6", pool("six", "fd00::/48", "") + pool("default-ipv4-ippool", "192.168.0.0/16", ""), settled},
	} {
		h, _, k := joined(t)
		k.add(t, c.objects)
		if got := look(t, h, All().Install(calicoNetwork(), []byte(example(t, "calico.yaml")), pods("10.10.0.0/16"))); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCalicoInstall: where calico was never there, the API server knows no pools.
func TestCalicoInstall(t *testing.T) {
	t.Parallel()
	h, m, k := joined(t)
	kubectl := m.Programs["kubectl"]
	m.Programs["kubectl"] = func(args []string, stdin string) (string, error) {
		known := slices.ContainsFunc(k.objects, func(o map[string]any) bool { return field(o, "kind") == "CustomResourceDefinition" })
		if slices.Contains(args, "ippools.crd.projectcalico.org") && !known {
			return "", &hosttest.Exit{Code: 1, Stderr: `error: the server doesn't have a resource type "ippools"`}
		}
		return kubectl(args, stdin)
	}
	for _, n := range []struct {
		network Network
		file    string
	}{{calicoNetwork(), "calico.yaml"}, {canalNetwork(), "canal.yaml"}} {
		k.objects = nil
		s := All().Install(n.network, []byte(example(t, n.file)), pods("10.10.0.0/16"))
		if got := look(t, h, s); !strings.HasPrefix(got, "to do: create ConfigMap kube-system/"+n.network.Name+"-config; ") {
			t.Errorf("%s: %s", n.file, got)
		}
		if err := apply(t, h, s); err != nil {
			t.Fatal(err)
		}
		if got := look(t, h, s); got != "done:  () " {
			t.Errorf("%s: after: %s", n.file, got)
		}
	}
	k.down = true
	if got := look(t, h, All().Install(calicoNetwork(), []byte(example(t, "calico.yaml")), pods("10.10.0.0/16"))); !strings.HasPrefix(got, "error: ") {
		t.Errorf("no API server: %s", got)
	}
}
