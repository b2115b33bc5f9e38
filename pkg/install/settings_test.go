package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestClusterFromAllSides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &Settings{Archive: filepath.Join(dir, "a.tar.zst"), PodCIDR: "10.1.0.0/16", Hosts: []string{"node2=192.168.4.13", "m=192.168.4.11=master"}}
	c, err := s.cluster(nil)
	if err != nil || c.PodCIDR != "10.1.0.0/16" || c.ServiceCIDR != "10.96.0.0/12" || len(c.Hosts) != 2 || c.Hosts[0].Role != manifest.Node {
		t.Errorf("defaults and flags: %+v, %v", c, err)
	}
	saved := &State{Cluster: &manifest.Cluster{APIVersion: manifest.APIVersion, Kind: manifest.KindCluster, Name: "old", PodCIDR: "10.2.0.0/16", ServiceCIDR: "10.3.0.0/16", DNSDomain: "x.y"}}
	if c, err := s.cluster(saved); err != nil || c.Name != "old" || c.PodCIDR != "10.1.0.0/16" || saved.Cluster.PodCIDR != "10.2.0.0/16" {
		t.Errorf("an earlier run and flags: %+v, %v", c, err)
	}
	write(t, filepath.Join(dir, "cluster.yaml"), `
apiVersion: kubecrate/v1
kind: Cluster
name: mine
hosts: [{name: m, address: 192.168.4.9, role: master, aliases: [k8s.lan]}]
`)
	c, err = s.cluster(saved)
	if err != nil || c.Name != "mine" || len(c.Hosts) != 2 || c.Hosts[0].Address != "192.168.4.11" || c.Hosts[0].Aliases[0] != "k8s.lan" {
		t.Errorf("cluster.yaml and flags: %+v, %v", c, err)
	}
	for flag, want := range map[string]string{"x": "cannot read --hosts", "x=y": "is no address", "a=10.1.1.1=boss": `"boss" is not known`} {
		if _, err := (&Settings{Archive: s.Archive, Hosts: []string{flag}}).cluster(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--hosts %s: %v", flag, err)
		}
	}
	if _, err := (&Settings{ClusterFile: dir + "/none.yaml"}).cluster(nil); err == nil {
		t.Error("a cluster file that is named and missing is no error")
	}
}

func TestTicketFromAllSides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hash := "sha256:" + strings.Repeat("ab", 32)
	s := &Settings{Archive: filepath.Join(dir, "a.tar.zst")}
	if k, path, err := s.ticket(); k != nil || err != nil || path != filepath.Join(dir, "join.yaml") {
		t.Errorf("none: %v, %s, %v", k, path, err)
	}
	s.Join = Join{Master: "192.168.4.11", Token: "abcdef.0123456789abcdef", CACertHash: []string{hash}}
	k, _, err := s.ticket()
	if err != nil || k.Endpoint != "192.168.4.11:6443" {
		t.Errorf("by hand: %+v, %v", k, err)
	}
	text, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "join.yaml"), string(text))
	s.Join = Join{}
	if k, _, err := s.ticket(); err != nil || k == nil || k.Token != "abcdef.0123456789abcdef" {
		t.Errorf("on the stick: %+v, %v", k, err)
	}
	s.Join = Join{Master: "192.168.4.11"}
	if _, _, err := s.ticket(); err == nil || !strings.Contains(hint.Of(err), "install ticket --show") {
		t.Errorf("half by hand: %v", err)
	}
}
