package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/install/target"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestClusterFromDisk: cluster.yaml on the stick may be missing, a file that is
// named may not, and without a stick the working directory is not one.
func TestClusterFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := Media{Archive: filepath.Join(dir, "a.tar.zst")}
	if c, err := readCluster(m, ""); c != nil || err != nil {
		t.Errorf("none: %+v, %v", c, err)
	}
	write(t, filepath.Join(dir, "cluster.yaml"), "apiVersion: kubecrate/v1\nkind: Cluster\nname: mine\n")
	if c, err := readCluster(m, ""); err != nil || c.Name != "mine" {
		t.Errorf("on the stick: %+v, %v", c, err)
	}
	if c, err := readCluster(Media{}, filepath.Join(dir, "cluster.yaml")); err != nil || c.Name != "mine" {
		t.Errorf("named: %+v, %v", c, err)
	}
	if _, err := readCluster(m, dir+"/none.yaml"); err == nil {
		t.Error("a cluster file that is named and missing is no error")
	}
	if c, err := readCluster(Media{}, ""); c != nil || err != nil {
		t.Errorf("without a stick: %+v, %v", c, err)
	}
}

func TestTicketFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := Media{Archive: filepath.Join(dir, "a.tar.zst")}
	if f := readTicket(m, &target.Join{}); f.Ticket != nil || f.Err != nil || f.Path != filepath.Join(dir, "join.yaml") {
		t.Errorf("none: %+v", f)
	}
	flags := &target.Join{Master: "192.168.4.11", Token: "abcdef.0123456789abcdef", CACertHash: []string{"sha256:" + strings.Repeat("ab", 32)}}
	f := readTicket(m, flags)
	if f.Err != nil || f.Ticket.Endpoint != "192.168.4.11:6443" {
		t.Fatalf("by hand: %+v", f)
	}
	text, err := f.Ticket.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "join.yaml"), string(text))
	if f := readTicket(m, &target.Join{}); f.Err != nil || f.Ticket == nil || f.Ticket.Token != "abcdef.0123456789abcdef" {
		t.Errorf("on the stick: %+v", f)
	}
	if f := readTicket(Media{}, &target.Join{}); f.Ticket != nil || f.Err != nil || f.Path != "join.yaml" {
		t.Errorf("without a stick: %+v", f)
	}
	if f := readTicket(m, &target.Join{Master: "192.168.4.11"}); f.Ticket != nil || !strings.Contains(hint.Of(f.Err), "install ticket --show") {
		t.Errorf("half by hand: %+v", f)
	}
	if f := readTicket(m, &target.Join{Ticket: dir + "/none.yaml"}); !os.IsNotExist(f.Err) && !strings.Contains(hint.Of(f.Err), "--ticket FILE") {
		t.Errorf("named and missing: %+v", f)
	}
}
