package install

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// altered is the identity's ticket with everything in it changed that leads to no
// refusal.
func altered(c *carried) *manifest.Ticket {
	k := *c.id.Ticket
	k.Token, k.Expires = "aaaaaa.aaaaaaaaaaaaaaaa", time.Now().Add(99*24*time.Hour).UTC().Format(time.RFC3339)
	k.TimeServer, k.PodCIDR, k.Kubernetes, k.Cluster = "192.168.4.66", "10.66.0.0/16", "v1.17.4", "other"
	k.Hosts = []manifest.Host{{Name: "evil", Address: "192.168.4.66", Role: manifest.Node}}
	return &k
}

// TestIdentityCounts: on every master each field of the ticket, and what
// cluster.yaml says beside it, is the sealed one; that it differs is reported.
func TestIdentityCounts(t *testing.T) {
	t.Parallel()
	for address, first := range map[string]bool{"192.168.4.11": true, "192.168.4.12": false} {
		c := stickWith(t, nil)
		put(t, c, altered(c))
		var said strings.Builder
		o := Settings{Passphrase: word(password), Report: func(e progress.Event) { said.WriteString(e.Text + "\n") }}
		s, err := c.look(t, o, nil, address, "", "x")
		if err != nil {
			t.Fatal(err)
		}
		s.cluster.PodCIDR = "10.67.0.0/16"
		s.cluster.Hosts[0].Address = "192.168.4.67"
		if opened, err := s.openIdentity(t.Context()); !opened || err != nil {
			t.Fatal(err)
		}
		got := s.ticket
		if first {
			got = s.given
		}
		if got == nil || s.first() != first || len(differing(got, c.id.Ticket)) > 0 {
			t.Errorf("first %v: %+v, want %+v", first, got, c.id.Ticket)
		}
		if !strings.Contains(said.String(), "differs from the ticket in identity.age in cluster, token, expires, kubernetes, timeServer, hosts, podCIDR:") ||
			!strings.Contains(said.String(), "cluster.yaml differs from what identity.age was made with in podCIDR, host node1") || strings.Contains(said.String(), "aaaaaa") {
			t.Errorf("it said %q", said.String())
		}
		if s.cluster.PodCIDR != "10.244.0.0/16" || slices.ContainsFunc(s.hosts(), func(h manifest.Host) bool { return h.Name == "evil" || h.Address == "192.168.4.67" }) {
			t.Errorf("the cluster is %s, %+v", s.cluster.PodCIDR, s.hosts())
		}
		if k := s.clock(); !first && k.Server.String() != "192.168.4.11" {
			t.Errorf("time comes from %s", k.Server)
		}
	}
}

// TestIdentityKept: a master whose run was cut off asks for nothing, and takes
// nothing from the stick in the place of what was sealed; one that is through
// keeps no secret.
func TestIdentityKept(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	o := Settings{Passphrase: word(password)}
	s, err := c.look(t, o, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.openIdentity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.keepSealed(); err != nil {
		t.Fatal(err)
	}
	for name, text := range s.keys.Files {
		write(t, mkdir(t, s.host.Path("/etc/kubernetes/pki/"+name)), string(text))
	}
	put(t, c, altered(c))
	saved := &State{Role: manifest.Master, Bundle: "k-amd64", Joined: c.id.Ticket.Endpoint, Identity: true, Cluster: s.cluster, Sealed: withoutSecrets(s.vouched), Told: s.told()}
	again := *s
	again.Settings.Passphrase = func(context.Context, string) (string, error) { t.Error("it asks again"); return "", nil }
	again.saved, again.keys, again.vouched, again.ticket, again.given = saved, nil, nil, nil, nil
	if err := again.decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	if opened, err := again.openIdentity(t.Context()); opened || err != nil || len(differing(again.ticket, c.id.Ticket)) > 0 {
		t.Errorf("cut off: %v, %+v", err, again.ticket)
	}
	if err := dropSealed(s.host); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.host.Exists(step.Dir + "/" + sealedName); ok || err != nil {
		t.Errorf("a secret is kept: %v", err)
	}
	saved.Finished = true
	if err := again.decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again.ticket != nil || again.first() || again.clock().Server.String() != "192.168.4.11" || again.authority().CAHash != c.id.Ticket.CACertHashes[0] {
		t.Errorf("through: ticket %+v, first %v, time %s", again.ticket, again.first(), again.clock().Server)
	}
}

// TestIdentityNamedTicket: once the sealed ticket has ended, only one that the
// operator names lets a master join, and nothing but its token is used.
func TestIdentityNamedTicket(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	old := *c.id.Ticket
	old.Expires = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	put(t, c, altered(c))
	s, err := c.look(t, Settings{}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	s.seal(&old)
	if s.ticketErr == nil || !strings.Contains(s.ticketErr.Error(), identity.FileName+" expired") {
		t.Errorf("%v", s.ticketErr)
	}
	s, err = c.look(t, Settings{Join: Join{Ticket: c.path("join.yaml")}}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	s.seal(&old)
	if s.ticketErr != nil || s.ticket.Token != "aaaaaa.aaaaaaaaaaaaaaaa" || s.ticket.TimeServer != "192.168.4.11" || s.ticket.PodCIDR != "10.244.0.0/16" {
		t.Errorf("%v, %+v", s.ticketErr, s.ticket)
	}
}

// TestIdentityFirstMaster: a list that was changed makes no other host begin the
// cluster a second time.
func TestIdentityFirstMaster(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	s, err := c.look(t, Settings{Passphrase: word(password)}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	s.ticket, s.given = nil, s.ticket
	if _, err := s.openIdentity(t.Context()); err == nil || !strings.Contains(err.Error(), "was made with master1 as the first") {
		t.Errorf("%v", err)
	}
	if has, err := kubeadm.HasAuthority(s.host); has || err != nil {
		t.Errorf("it has the keys: %v", err)
	}
}
