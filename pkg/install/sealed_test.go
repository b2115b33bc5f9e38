package install

import (
	"context"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
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
		text, err := os.ReadFile(c.path("cluster.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, c.path("cluster.yaml"), strings.NewReplacer("10.244.0.0/16", "10.67.0.0/16", "192.168.4.21", "192.168.4.67").Replace(string(text)))
		before, said, err := c.hear(t, target.Request{}, nil, address, "", "x")
		if err != nil {
			t.Fatal(err)
		}
		was := before.target
		r, err := before.openIdentity(t.Context(), word(password))
		if err != nil || r == before || !reflect.DeepEqual(before.target, was) {
			t.Fatalf("%v, opened %v", err, r != before)
		}
		got := r.target.Ticket.Join
		if first {
			got = r.target.Ticket.Begin
		}
		if got == nil || r.target.First != first || r.target.Ticket.Origin != target.FromIdentity || !reflect.DeepEqual(got, c.id.Ticket) {
			t.Errorf("first %v: %+v, want %+v", first, got, c.id.Ticket)
		}
		if !strings.Contains(said.String(), "and the ticket in identity.age differ in cluster, token, expires, kubernetes, timeServer, hosts, podCIDR:") ||
			!strings.Contains(said.String(), "cluster.yaml and identity.age differ in podCIDR, host node1") || strings.Contains(said.String(), "aaaaaa") {
			t.Errorf("it said %q", said.String())
		}
		if r.target.Cluster.PodCIDR != "10.244.0.0/16" || slices.ContainsFunc(r.target.Hosts, func(h manifest.Host) bool { return h.Name == "evil" || h.Address == "192.168.4.67" }) {
			t.Errorf("the cluster is %s, %+v", r.target.Cluster.PodCIDR, r.target.Hosts)
		}
		if k := r.target.Clock; !first && k.Server.String() != "192.168.4.11" {
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
	r, err := c.look(t, target.Request{}, nil, "192.168.4.12", "", "x")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.openIdentity(t.Context(), word(password)); err != nil {
		t.Fatal(err)
	}
	if err := r.saveSealed(); err != nil {
		t.Fatal(err)
	}
	for name, text := range r.keys.Files {
		write(t, mkdir(t, r.host.Path("/etc/kubernetes/pki/"+name)), string(text))
	}
	put(t, c, altered(c))
	saved := r.target.State()
	saved.Bundle = r.bundle.name()
	again := &run{host: r.host, bundle: r.bundle, saved: &saved}
	if err := again.look(t.Context(), target.Request{}); err != nil {
		t.Fatal(err)
	}
	never := func(context.Context, string) (string, error) { t.Error("it asks again"); return "", nil }
	if same, err := again.openIdentity(t.Context(), never); same != again || err != nil || !reflect.DeepEqual(again.target.Ticket.Join, c.id.Ticket) {
		t.Errorf("cut off: %v, %+v", err, again.target.Ticket)
	}
	if err := removeSealed(r.host); err != nil {
		t.Fatal(err)
	}
	if ok, err := r.host.Exists(step.Dir + "/" + sealedName); ok || err != nil {
		t.Errorf("a secret is kept: %v", err)
	}
	through := saved
	through.Finished = true
	again = &run{host: r.host, bundle: r.bundle, saved: &through}
	if err := again.look(t.Context(), target.Request{}); err != nil {
		t.Fatal(err)
	}
	got := again.target
	if got.Ticket.Join != nil || got.First || got.Clock.Server.String() != "192.168.4.11" || again.assembly().authority().CAHash != c.id.Ticket.CACertHashes[0] {
		t.Errorf("through: %+v", got)
	}
}

// TestIdentityFirstMaster: a list that was changed makes no other host begin the
// cluster a second time.
func TestIdentityFirstMaster(t *testing.T) {
	t.Parallel()
	c := stickWith(t, nil)
	text, err := os.ReadFile(c.path("cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.path("cluster.yaml"), strings.NewReplacer("name: master1", "name: master2", "name: master2", "name: master1",
		"address: 192.168.4.11", "address: 192.168.4.12", "address: 192.168.4.12", "address: 192.168.4.11").Replace(string(text)))
	r, err := c.look(t, target.Request{}, nil, "192.168.4.12", "", "x")
	if err != nil || !r.target.First {
		t.Fatal(err)
	}
	if _, err := r.openIdentity(t.Context(), word(password)); err == nil || !strings.Contains(err.Error(), "identity.age the first is master1") {
		t.Errorf("%v", err)
	}
	if has, err := kubeadm.HasAuthority(r.host); has || err != nil {
		t.Errorf("it has the keys: %v", err)
	}
}
