package manifest

import (
	"net/netip"
	"testing"
)

func TestEndpointOr(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("192.168.4.11")
	for _, c := range []struct {
		of   Cluster
		own  netip.Addr
		want string
	}{
		{Cluster{Endpoint: "k8s.lan", VIP: &VIP{Address: "192.168.4.100"}}, own, "k8s.lan:6443"},
		{Cluster{Endpoint: "k8s.lan:8443"}, own, "k8s.lan:8443"},
		{Cluster{VIP: &VIP{Address: "192.168.4.100"}}, own, "192.168.4.100:6443"},
		{Cluster{}, own, "192.168.4.11:6443"},
		{Cluster{}, netip.Addr{}, ""},
	} {
		if got := c.of.EndpointOr(c.own); got != c.want {
			t.Errorf("%+v: %q, want %q", c.of, got, c.want)
		}
	}
}
