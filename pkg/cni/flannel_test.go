package cni

import (
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// flannelManifest is that of v0.14.0, as the default profile has it.
func flannelManifest(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../../manifest/files/kube-flannel-0.14.0.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pods(cidr string) Cluster { return Cluster{PodCIDR: netip.MustParsePrefix(cidr), Arch: "amd64"} }

const (
	argsText = "        args:\n        - --ip-masq\n"
	envText  = "        env:\n        - name: POD_NAME\n"
	nodeEnv  = "        env:\n        - name: NODE_IP\n          valueFrom:\n            fieldRef:\n              fieldPath: status.hostIP\n        - name: POD_NAME\n"
)

func TestFlannelRender(t *testing.T) {
	t.Parallel()
	base := flannelManifest(t)
	// as flannel v0.14.0 is, with the lines of ours
	ours := func(cidr, iface string) string {
		env := envText
		if iface == "$(NODE_IP)" {
			env = nodeEnv
		}
		return strings.NewReplacer(`"10.244.0.0/16"`, `"`+cidr+`"`, argsText, "        args:\n        - --iface="+iface+"\n        - --ip-masq\n", envText, env).Replace(base)
	}
	named := pods("10.10.0.0/16")
	named.Interface = "eth1"
	for _, c := range []struct {
		name, in string
		cluster  Cluster
		out      string
	}{
		{"the same network", base, pods("10.244.0.0/16"), ours("10.244.0.0/16", "$(NODE_IP)")},
		{"another network", base, pods("172.20.0.0/14"), ours("172.20.0.0/14", "$(NODE_IP)")},
		{"an interface", base, named, ours("10.10.0.0/16", "eth1")},
		{"an interface of the manifest's own", strings.Replace(base, "- --ip-masq", "- --iface=ens3", 1), pods("10.1.0.0/16"),
			strings.NewReplacer("- --ip-masq", "- --iface=ens3", "10.244.0.0", "10.1.0.0").Replace(base)},
		{"Windows line ends", strings.ReplaceAll(base, "\n", "\r\n"), pods("10.1.0.0/16"), ""},
		{"in flow style", strings.Replace(base, "args:\n        - --ip-masq\n        - --kube-subnet-mgr", "args: [--ip-masq, --kube-subnet-mgr]", 1), pods("10.1.0.0/16"), ""},
		{"a quoted configuration", strings.Replace(base, "  net-conf.json: |\n    {\n      \"Network\": \"10.244.0.0/16\",\n      \"Backend\": {\n        \"Type\": \"vxlan\"\n      }\n    }\n",
			`  net-conf.json: '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}'`+"\n", 1), pods("10.1.0.0/16"), ""},
		{"no arguments", strings.Replace(base, "        - /opt/bin/flanneld\n"+argsText+"        - --kube-subnet-mgr\n", "        - /opt/bin/flanneld\n        - --kube-subnet-mgr\n", 1), pods("10.1.0.0/16"), ""},
	} {
		got, err := flannel{}.Render([]byte(c.in), c.cluster)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.out != "" {
			if string(got) != c.out {
				t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.out)
			}
			continue
		}
		// Written otherwise, it still has to mean the same.
		want, have := objectsOf([]byte(ours("10.1.0.0/16", "$(NODE_IP)"))), objectsOf(got)
		if len(want) != len(have) {
			t.Errorf("%s: %d objects, want %d", c.name, len(have), len(want))
			continue
		}
		for i := range want {
			diff := append(want[i].differs(have[i], flannelNetwork()), have[i].differs(want[i], flannelNetwork())...)
			if !want[i].is(have[i]) || len(diff) > 0 && !(c.name == "no arguments" && strings.Contains(diff[0].what, "flanneld")) {
				t.Errorf("%s: %s %s: %v", c.name, have[i].Kind, have[i], diff)
			}
		}
		if !strings.Contains(string(got), "vxlan") || !strings.Contains(string(got), "--iface=$(NODE_IP)") || !strings.Contains(string(got), "# Users and groups") {
			t.Errorf("%s: something is lost:\n%s", c.name, got)
		}
	}
}

func TestFlannelRefuses(t *testing.T) {
	t.Parallel()
	base := flannelManifest(t)
	arm := pods("10.244.0.0/16")
	arm.Arch = "arm64"
	for _, c := range []struct {
		name, in string
		cluster  Cluster
		want     string
	}{
		{"no YAML", "a: [", arm, "it is not YAML"},
		{"no configuration", strings.Replace(base, "net-conf.json:", "other.json:", 1), arm, "no ConfigMap with net-conf.json"},
		{"no JSON", strings.Replace(base, `"10.244.0.0/16",`, `"10.244.0.0/16"`, 1), arm, "line 126: net-conf.json: it is not JSON"},
		{"no Network", strings.Replace(base, `"Network"`, `"Net"`, 1), arm, "it has no Network"},
		{"a wrong Network", strings.Replace(base, "10.244.0.0/16", "10.244.0.0", 1), arm, `its Network "10.244.0.0" is not a network`},
		{"no daemon", strings.Replace(strings.Replace(base, "/opt/bin/flanneld", "/bin/sh", 1), "--kube-subnet-mgr", "-x", 1), arm, "no DaemonSet that runs flanneld"},
		{"another architecture", strings.Replace(base, "kubernetes.io/os\n                operator: In\n                values:\n                - linux",
			"kubernetes.io/arch\n                operator: In\n                values:\n                - amd64", 1), arm, "it has no DaemonSet for arm64"},
	} {
		_, err := flannel{}.Render([]byte(c.in), c.cluster)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestWithNetwork(t *testing.T) {
	t.Parallel()
	to := netip.MustParsePrefix("10.1.0.0/16")
	for _, c := range []struct{ in, out string }{
		{`{"Network":"10.244.0.0/16"}`, `{"Network":"10.1.0.0/16"}`},
		{"{\n \"Backend\" : {\"Type\":\"vxlan\", \"Network\":\"x\"} , \"Network\" :  \"10.244.0.0/16\" }\n", "{\n \"Backend\" : {\"Type\":\"vxlan\", \"Network\":\"x\"} , \"Network\" :  \"10.1.0.0/16\" }\n"},
		{`{"network":"10.2.0.0/16","Network":"10.3.0.0/16","SubnetLen":24}`, `{"network":"10.1.0.0/16","Network":"10.1.0.0/16","SubnetLen":24}`},
		{`{"Network": "10.1.0.0/16"}`, `{"Network": "10.1.0.0/16"}`},
	} {
		if got, err := withNetwork(c.in, to); err != nil || got != c.out {
			t.Errorf("%s: %s, %v, want %s", c.in, got, err, c.out)
		}
	}
}

func FuzzFlannelRender(f *testing.F) {
	base := flannelManifest(f)
	f.Add(base)
	f.Add(base[strings.Index(base, "kind: ConfigMap"):])
	f.Add("kind: List\nitems:\n- &a {kind: ConfigMap, data: {net-conf.json: '{\"Network\":\"10.0.0.0/8\"}'}}\n- *a\n" +
		"- {kind: DaemonSet, spec: {template: {spec: {containers: [{args: [--kube-subnet-mgr]}]}}}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		out, err := flannel{}.Render([]byte(text), pods("10.1.0.0/16"))
		if err != nil {
			return
		}
		// What comes out is as wanted: rendered again it stays.
		again, err := flannel{}.Render(out, pods("10.1.0.0/16"))
		if err != nil || string(again) != string(out) {
			t.Errorf("%q becomes %q, and that %q, %v", text, out, again, err)
		}
	})
}

func TestFor(t *testing.T) {
	t.Parallel()
	for _, name := range manifest.Vocabulary()["network"] {
		if n, err := All().For(name); err != nil || n.Name != name {
			t.Errorf("%s: %v, %v", name, n.Name, err)
		}
		if !strings.Contains(All().Find(name).Hint, "between all hosts") {
			t.Errorf("%s: nothing helps: %q", name, All().Find(name).Hint)
		}
	}
	for _, name := range []string{"weave", "nosuch", ""} {
		if _, err := All().For(name); err == nil || !strings.Contains(err.Error(), "this version of install knows flannel, canal, calico") || !strings.Contains(hint.Of(err), "network: flannel") {
			t.Errorf("%q: %v (%s)", name, err, hint.Of(err))
		}
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	base := flannelManifest(t)
	n := flannelNetwork()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	canal := strings.ReplaceAll(base, "kube-flannel-ds", "canal")
	bundle := fstest.MapFS{"manifests/a.txt": file(base), "manifests/canal.yaml": file(canal), "manifests/my.yaml": file(base), "manifests/x.yml": file("a: [")}
	if text, name, err := All().Manifest(bundle, n); err != nil || name != "manifests/my.yaml" || string(text) != base {
		t.Errorf("%s, %v", name, err)
	}
	for _, bundle := range []fs.FS{fstest.MapFS{}, fstest.MapFS{"manifests/canal.yaml": file(canal)}} {
		if _, _, err := All().Manifest(bundle, n); err == nil || !strings.Contains(err.Error(), "no manifest of flannel") || hint.Of(err) == "" {
			t.Errorf("%v", err)
		}
	}
}
