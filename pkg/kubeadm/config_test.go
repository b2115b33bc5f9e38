package kubeadm

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

var update = flag.Bool("update", false, "write the golden files anew")

func options() Options {
	c := manifest.DefaultCluster()
	c.Hosts = []manifest.Host{
		{Name: "master1", Address: "192.168.4.11", Role: manifest.Master, Aliases: []string{"master1.lan"}},
		{Name: "master2", Address: "192.168.4.12", Role: manifest.Master},
		{Name: "node1", Address: "192.168.4.21", Role: manifest.Node},
	}
	return Options{
		Version: "v1.17.4", Node: "master1", Address: netip.MustParseAddr("192.168.4.11"), Socket: "/var/run/dockershim.sock",
		Cluster: c, Repository: "k8s.gcr.io", Limits: Limits{Poll: time.Millisecond, API: 50 * time.Millisecond, Boot: 20 * time.Millisecond, Process: 50 * time.Millisecond, Ready: 50 * time.Millisecond},
	}
}

func ticket() *manifest.Ticket {
	return &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket, Cluster: "kubernetes", Endpoint: "192.168.4.11:6443",
		Token: "abcdef.0123456789abcdef", CACertHashes: []string{"sha256:" + strings.Repeat("ab", 32)},
		Expires: time.Now().Add(time.Hour).UTC().Format(time.RFC3339), Kubernetes: "v1.17.4",
	}
}

// TestConfigs compares what is rendered for every apiVersion with files that
// were read by a person, and, for v1.17.4, by kubeadm itself.
func TestConfigs(t *testing.T) {
	t.Parallel()
	zero := 0
	for _, c := range []struct {
		file   string
		change func(*Options)
		render func(Options) ([]byte, error)
	}{
		{"init-v1.17.4", func(*Options) {}, InitConfig},
		{"init-v1.25.0", func(o *Options) {
			o.Version, o.Socket, o.Repository = "v1.25.0", "/run/containerd/containerd.sock", "registry.k8s.io"
			o.Cluster.Endpoint, o.Cluster.Proxy.Mode = "k8s.lan:7443", manifest.ProxyIPTables
			o.Cluster.Proxy.ConntrackMaxPerCore, o.Cluster.Proxy.ConntrackMin = &zero, &zero
		}, InitConfig},
		{"init-v1.31.2", func(o *Options) {
			o.Version, o.Socket, o.Repository = "v1.31.2", "/run/containerd/containerd.sock", "registry.k8s.io"
			o.Schedulable, o.Cluster.Endpoint = true, "master1.lan:7443"
		}, InitConfig},
		{"join-v1.17.4", func(*Options) {}, func(o Options) ([]byte, error) { return joinConfig(o, ticket(), false) }},
		{"join-v1.25.0-master", func(o *Options) {
			o.Version, o.Socket = "v1.25.0", "/run/containerd/containerd.sock"
		}, func(o Options) ([]byte, error) {
			k := ticket()
			k.CertificateKey = strings.Repeat("0a", 32)
			return joinConfig(o, k, true)
		}},
		{"join-v1.31.2", func(o *Options) {
			o.Version, o.Socket = "v1.31.2", "unix:///run/containerd/containerd.sock"
		}, func(o Options) ([]byte, error) { return joinConfig(o, ticket(), false) }},
		{"ticket-v1.17.4", func(*Options) {}, func(o Options) ([]byte, error) {
			return tokenConfig(o, "abcdef.0123456789abcdef", strings.Repeat("0a", 32), 24*time.Hour)
		}},
	} {
		o := options()
		c.change(&o)
		got, err := c.render(o)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		golden := filepath.Join("testdata", c.file+".yaml")
		if *update {
			if err := os.WriteFile(golden, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s\nwant\n%s", c.file, got, want)
		}
	}
}

func TestReleases(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.15.0": "v1beta2", "v1.17.4": "v1beta2", "v1.21.14": "v1beta2", "v1.22.0": "v1beta3", "v1.30.9": "v1beta3",
		"v1.31.0": "v1beta4", "v1.34.1": "v1beta4",
	} {
		r, err := parseRelease(version)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.configVersion(); err != nil || got != "kubeadm.k8s.io/"+want {
			t.Errorf("%s: %s, %v", version, got, err)
		}
	}
	o := options()
	for version, want := range map[string]string{"v1.14.3": "too old", "v2.0.0": "too old", "1.17": "is not a Kubernetes version", "": "is not a Kubernetes version", "v1.x.3": "is no"} {
		o.Version = version
		if _, err := InitConfig(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", version, err)
		}
	}
	for _, c := range []struct{ version, path, want string }{
		{"v1.17.4", "/var/run/docker.sock", "/var/run/dockershim.sock"},
		{"v1.17.4", "/run/dockershim.sock", "/var/run/dockershim.sock"},
		{"v1.17.4", "/run/containerd/containerd.sock", "/run/containerd/containerd.sock"},
		{"v1.24.0", "/run/containerd/containerd.sock", "unix:///run/containerd/containerd.sock"},
	} {
		r, err := parseRelease(c.version)
		if got := (&Options{Socket: c.path}).criSocket(r); err != nil || got != c.want {
			t.Errorf("%s: socket %s, %v", c.version, got, err)
		}
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for want, images := range map[string][]string{
		"k8s.gcr.io":                     {"quay.io/coreos/flannel:v0.14.0", "registry.k8s.io/kube-apiserver:v1.29.0", "k8s.gcr.io/kube-apiserver:v1.17.4"},
		"127.0.0.1:5000/google/k8s.gcr.": {"127.0.0.1:5000/google/k8s.gcr./kube-apiserver:v1.17.4"},
	} {
		if got, err := Repository(images, "v1.17.4"); err != nil || got != want {
			t.Errorf("%v: %s, %v", images, got, err)
		}
	}
	if _, err := Repository([]string{"k8s.gcr.io/kube-proxy:v1.17.4", "kube-apiserver:v1"}, "v1.17.4"); err == nil || hint.Of(err) == "" {
		t.Errorf("without one: %v", err)
	}
}
