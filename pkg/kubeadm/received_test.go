package kubeadm

import (
	"strings"
	"testing"

	"kubecrate/manifest"
)

// rulesOfBoth are the user's rules, one of which is about a network that only a
// ticket calls the pods', and one that is about the pods.
func rulesOfBoth(pods string) (before, joined string) {
	before = strings.Replace(userRules, "-s 10.2.0.0/16", "-s 10.1.2.0/24", 1)
	return before, strings.Replace(before, "COMMIT\n", "[0:0] -A POSTROUTING -s "+pods+" ! -d 224.0.0.0/4 -j MASQUERADE\nCOMMIT\n", 1)
}

// TestResetByTicket: what a reset removes follows from the cluster, or from what
// flannel was told there, and never from the ticket.
func TestResetByTicket(t *testing.T) {
	t.Parallel()
	const config = `{"data":{"ClusterConfiguration":"kind: ClusterConfiguration\nnetworking:\n  dnsDomain: cluster.local\n  podSubnet: fd00::/48,10.244.0.0/16\n"}}`
	for what, c := range map[string]struct {
		api, flannel string
		pruned       bool
	}{
		"the cluster tells it":  {config, "", true},
		"flannel tells it":      {"", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n", true},
		"flannel tells a lie":   {"", "FLANNEL_NETWORK=0.0.0.0/0\n", false},
		"the cluster has none":  {`{"data":{"ClusterConfiguration":"networking: {podSubnet: '::/0'}\n"}}`, "", false},
		"the cluster says much": {`{"data":{"ClusterConfiguration":"networking: {podSubnet: 0.0.0.0/0}\n"}}`, "", false},
		"nobody tells it":       {"", "", false},
	} {
		w := newWorld(t)
		before, joined := rulesOfBoth("10.244.0.0/16")
		w.m.Write(t, "/run/rules", before)
		o := w.node()
		o.Ticket.PodCIDR = "10.0.0.0/8"
		if c.api != "" {
			w.objects[clusterConfigPath] = c.api
		}
		if err := w.run(w.join(o)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		w.m.Write(t, "/run/rules", joined)
		if c.flannel != "" {
			w.m.Write(t, "/run/flannel/subnet.env", c.flannel)
		}
		if err := w.undo(Join(JoinOptions{})); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		want := joined
		if c.pruned {
			want = before
		}
		if got := w.m.Read(t, "/run/rules"); got != want {
			t.Errorf("%s: the rules are\n%s\nwant\n%s", what, got, want)
		}
		if n := w.called("ip route flush root 10.0.0.0/8"); n != 0 {
			t.Errorf("%s: routes of the ticket's network were removed", what)
		}
	}
}

// TestPodNetwork: an init knows its network from the operator, a join from the cluster.
func TestPodNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, m := range map[string]*record{
		"10.244.0.0/16": {Verb: verbInit, PodCIDR: "10.244.0.0/16"},
		"10.245.0.0/16": {Verb: verbJoin, PodCIDR: "10.0.0.0/8", Received: "10.245.0.0/16"},
		"invalid":       {Verb: verbInit, PodCIDR: "::/0"},
	} {
		p, err := podNetwork(w.h, m)
		if got := p.String(); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %s, %v", m, got, err)
		}
		if p.IsValid() {
			if _, err := manifest.ParseNetwork(p.String()); err != nil {
				t.Error(err)
			}
		}
	}
}
