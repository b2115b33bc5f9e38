package install

import (
	"fmt"
	"testing"

	"kubecrate/manifest"
)

// TestManyHosts: what a ticket's list of hosts costs grows as the list does.
func TestManyHosts(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	list := func(n int) []manifest.Host {
		var hosts []manifest.Host
		for i := range n {
			hosts = append(hosts, manifest.Host{Name: fmt.Sprintf("h%d", i), Address: fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), Role: manifest.Node})
		}
		return hosts
	}
	const many = 5000
	s := &site{cluster: &manifest.Cluster{Hosts: list(2)}, ticket: &manifest.Ticket{Hosts: append(list(many), manifest.Host{Name: "other", Address: "10.1.0.1"})}}
	if got := s.hosts(); len(got) != many || got[0].Name != "h0" || got[many-1].Name != "h4999" {
		t.Errorf("%d hosts", len(got))
	}
	if got := testing.AllocsPerRun(1, func() { s.hosts() }); got > many/10 {
		t.Errorf("%d hosts take %.0f allocations", many, got)
	}
	if len(s.cluster.Hosts) != 2 {
		t.Error("the cluster's own list was changed")
	}
}
