package target

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
)

const head = "apiVersion: kubecrate/v1\nkind: Cluster\n"

func cluster(t *testing.T, text string) *manifest.Cluster {
	t.Helper()
	c, err := manifest.ParseCluster("cluster.yaml", []byte(head+text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const three = `hosts:
  - {name: node1, address: 192.168.4.21, role: node}
  - {name: master1, address: 192.168.4.11, role: master}
  - {name: master2, address: 192.168.4.12, role: master}
`

// at is a host with an address on eth0, "" for none, and a default route.
func at(address string) *facts.Facts {
	f := &facts.Facts{Hostname: "Fresh", Interfaces: []facts.Interface{{Name: "eth0", MAC: "52:54:00:00:00:01"}}}
	if address != "" {
		f.Interfaces[0].Addresses = []facts.Address{{Prefix: netip.MustParsePrefix(address + "/24"), Scope: "global"}}
		f.Routes = []facts.Route{{Interface: "eth0", Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.168.4.1")}}
	}
	return f
}

// ticketOf is the ticket of a cluster at an endpoint; key lets masters join.
func ticketOf(endpoint, key string) *manifest.Ticket {
	return &manifest.Ticket{Endpoint: endpoint, Token: "abcdef.0123456789abcdef", CACertHashes: []string{"sha256:" + strings.Repeat("ab", 32)},
		CertificateKey: key, TimeServer: "192.168.4.11", Hosts: []manifest.Host{{Name: "master1", Address: "192.168.4.11", Role: manifest.Master}}}
}

func instant() time.Time { return time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC) }

func named(role manifest.Role) Request { return Request{Role: role} }

// show is what a Target says, in one line.
func show(t *Target) string {
	s := fmt.Sprintf("%s %s %s at %s", t.Role, t.Node, t.AddressText(), t.Endpoint)
	if t.First {
		s += " first"
	}
	switch {
	case t.Ticket.Join != nil:
		s += " joins by " + string(t.Ticket.Origin)
	case t.Ticket.Begin != nil:
		s += " begins by " + string(t.Ticket.Origin)
	}
	if len(t.Clock.Serve) > 0 {
		s += fmt.Sprintf(" serves time to %v", t.Clock.Serve)
	} else if t.Clock.Server.IsValid() {
		s += " asks " + t.Clock.Server.String()
	}
	if t.Ticket.Err != nil {
		s += "; " + t.Ticket.Err.Error()
	}
	if t.AddressErr != nil {
		s += "; " + t.AddressErr.Error()
	}
	return s
}

// TestDecide: what a host becomes, in one line each.
func TestDecide(t *testing.T) {
	t.Parallel()
	kept := manifest.DefaultCluster()
	stick := func(k *manifest.Ticket) Found { return Found{Ticket: k, Path: "/usb/join.yaml"} }
	const none = "/usb/join.yaml"
	for what, v := range map[string]struct {
		in   Inputs
		want string
	}{
		"the first master": {Inputs{Request: named("master"), Facts: at("192.168.4.11"), Ticket: Found{Path: none}}, "master fresh 192.168.4.11 at 192.168.4.11:6443 first serves time to [192.168.4.0/24]"},
		"a single host":    {Inputs{Request: named("single"), Facts: at("192.168.4.11"), Ticket: Found{Path: none}}, "single fresh 192.168.4.11 at 192.168.4.11:6443 first serves time to [192.168.4.0/24]"},
		"a node": {Inputs{Request: named("node"), Facts: at("192.168.4.21"), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"node fresh 192.168.4.21 at 192.168.4.11:6443 joins by stick asks 192.168.4.11"},
		"a node without a ticket": {Inputs{Request: named("node"), Facts: at("192.168.4.21"), Ticket: Found{Path: none}},
			"node fresh 192.168.4.21 at 192.168.4.21:6443; no ticket for the cluster to join: /usb/join.yaml is missing"},
		"a node without an address": {Inputs{Request: named("node"), Facts: at(""), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"node fresh  at 192.168.4.11:6443 joins by stick asks 192.168.4.11; this host has no default route, so its address in the cluster cannot be determined"},
		"a master without an address": {Inputs{Request: named("master"), Facts: at(""), Ticket: Found{Path: none}},
			"master fresh  at  first; this host has no default route, so its address in the cluster cannot be determined"},
		"a further master": {Inputs{Request: named("master"), Facts: at("192.168.4.12"), Ticket: stick(ticketOf("192.168.4.11:6443", strings.Repeat("a", 64)))},
			"master fresh 192.168.4.12 at 192.168.4.11:6443 joins by stick asks 192.168.4.11"},
		"a master with the ticket of a node": {Inputs{Request: named("master"), Facts: at("192.168.4.12"), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"master fresh 192.168.4.12 at 192.168.4.11:6443 joins by stick asks 192.168.4.11; /usb/join.yaml is a ticket for nodes of the cluster at 192.168.4.11:6443: a master cannot join with it"},
		"a master with its own ticket": {Inputs{Request: named("master"), Facts: at("192.168.4.11"), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"master fresh 192.168.4.11 at 192.168.4.11:6443 first serves time to [192.168.4.0/24]"},
		"a master that began, again": {Inputs{Facts: at("192.168.4.11"), Saved: &State{Role: manifest.Master, Address: "192.168.4.11", Hostname: "m", Cluster: kept}, Ticket: stick(ticketOf("192.168.4.99:6443", ""))},
			"master m 192.168.4.11 at 192.168.4.11:6443 first serves time to [192.168.4.0/24]"},
		"a node that joined, without a stick": {Inputs{Facts: at("192.168.4.21"), Saved: &State{Role: manifest.Node, Joined: "192.168.4.11:6443", Finished: true, Cluster: kept,
			Told: Told{TimeServer: "192.168.4.11"}}}, "node fresh 192.168.4.21 at 192.168.4.11:6443 asks 192.168.4.11"},
		"a host of the list": {Inputs{Facts: at("192.168.4.21"), Cluster: cluster(t, three), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"node node1 192.168.4.21 at 192.168.4.11:6443 joins by stick asks 192.168.4.11"},
		"an endpoint of the cluster": {Inputs{Facts: at("192.168.4.11"), Cluster: cluster(t, "endpoint: k8s.lan\n"+three), Ticket: Found{Path: none}},
			"master master1 192.168.4.11 at k8s.lan:6443 first serves time to [192.168.4.0/24]"},
		"by flags": {Inputs{Request: Request{Role: manifest.Node, Join: Join{Master: "192.168.4.11", Ticket: "x"}}, Facts: at("192.168.4.21"), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"node fresh 192.168.4.21 at 192.168.4.11:6443 joins by flags asks 192.168.4.11"},
		"by a file": {Inputs{Request: Request{Role: manifest.Node, Join: Join{Ticket: "x"}}, Facts: at("192.168.4.21"), Ticket: stick(ticketOf("192.168.4.11:6443", ""))},
			"node fresh 192.168.4.21 at 192.168.4.11:6443 joins by file asks 192.168.4.11"},
		"names of the operator": {Inputs{Request: Request{Role: manifest.Master, Hostname: "Boss", Address: "192.168.4.11", Interface: "bond0"}, Facts: at("192.168.4.11"), Ticket: Found{Path: none}},
			"master boss 192.168.4.11 at 192.168.4.11:6443 first serves time to [192.168.4.0/24]"},
	} {
		if v.in.Cluster == nil {
			v.in.Cluster = manifest.DefaultCluster()
		}
		v.in.Now = instant()
		got, err := Decide(v.in)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if s := show(&got); s != v.want {
			t.Errorf("%s:\n got %s\nwant %s", what, s, v.want)
		}
		for _, err := range []error{got.Ticket.Err, got.AddressErr} {
			if err != nil && hint.Of(err) == "" {
				t.Errorf("%s: no hint: %v", what, err)
			}
		}
		if again, err := Decide(v.in); err != nil || !reflect.DeepEqual(again.State(), got.State()) {
			t.Errorf("%s: decided again it is %+v, %v", what, again, err)
		}
	}
}

// TestDecideRefuses: what the operator has to change first.
func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	kept := manifest.DefaultCluster()
	for what, v := range map[string]struct {
		in   Inputs
		says string
		hint string
	}{
		"no role":           {Inputs{}, "--role is missing", ""},
		"none of the list":  {Inputs{Cluster: cluster(t, strings.ReplaceAll(three, "4.", "5."))}, "--role is missing", "add this host to the hosts in cluster.yaml: it has the name Fresh, the address 192.168.4.77, the MAC 52:54:00:00:00:01"},
		"another role":      {Inputs{Request: named("node"), Saved: &State{Role: manifest.Master, Cluster: kept}}, "this host is a master and cannot become a node", "./install reset, then ./install --role node"},
		"another bundle":    {Inputs{Bundle: "b", Saved: &State{Role: manifest.Node, Bundle: "a", Cluster: kept}}, "this host was installed from a, but this bundle is b", "./install reset --yes"},
		"a foreign master":  {Inputs{Request: named("master"), Identity: true, Cluster: cluster(t, strings.ReplaceAll(three, "4.", "5."))}, "this host is not in the cluster's list", "correct the hosts in cluster.yaml"},
		"two of the list":   {Inputs{Cluster: &manifest.Cluster{Hosts: []manifest.Host{{Name: "a", Address: "192.168.4.77"}, {Name: "b", Address: "192.168.4.77"}}}}, "cannot determine which host of the cluster this is", "correct the hosts"},
		"no role, and kept": {Inputs{Saved: &State{Bundle: "x", Role: manifest.Single, Cluster: kept}}, "installed from x", "./install reset, then ./install --role single"},
	} {
		v.in.Facts, v.in.Now = at("192.168.4.77"), instant()
		if v.in.Cluster == nil {
			v.in.Cluster = manifest.DefaultCluster()
		}
		got, err := Decide(v.in)
		if err == nil || !strings.Contains(err.Error(), v.says) || !strings.Contains(hint.Of(err), v.hint) || got.Role != "" {
			t.Errorf("%s: %v (%s), %+v", what, err, hint.Of(err), got)
		}
	}
}

// TestChooseTicket: which ticket counts, and why.
func TestChooseTicket(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("c", 64)
	there, masters := ticketOf("192.168.4.11:6443", ""), ticketOf("192.168.4.11:6443", key)
	later := *there
	later.Token = "zzzzzz.zzzzzzzzzzzzzzzz"
	sealed := *masters
	sealed.Cluster = "sealed"
	old := sealed
	old.Expires = instant().Add(-time.Hour).Format(time.RFC3339)
	bare := WithoutSecrets(&sealed)
	torn := errors.New("it is torn")
	self := func(name string) *manifest.Host { return &manifest.Host{Name: name} }
	c := &manifest.Cluster{Hosts: []manifest.Host{{Name: "m1", Address: "192.168.4.11", Role: manifest.Master}, {Name: "m2", Address: "192.168.4.12", Role: manifest.Master}}}
	node, m1, m2 := host{manifest.Node, nil, "192.168.4.21"}, host{manifest.Master, self("m1"), "192.168.4.11"}, host{manifest.Master, self("m2"), "192.168.4.12"}
	found := func(k *manifest.Ticket) Found { return Found{Ticket: k, Path: "join.yaml"} }
	bad := Found{Path: "join.yaml", Err: torn}
	missing := Found{Path: "mine.yaml", Err: &fs.PathError{Op: "open", Path: "mine.yaml", Err: fs.ErrNotExist}}
	began, joined := &State{Role: manifest.Master}, &State{Role: manifest.Master, Joined: "192.168.4.11:6443"}
	done := func(s *State) *State { d := *s; d.Finished = true; return &d }
	byID := func(s *State) *State { d := *s; d.Identity = true; return &d }
	for what, v := range map[string]struct {
		in     Inputs
		h      host
		token  string // of the ticket that counts
		begins bool
		origin Origin
		err    string
		warns  string
	}{
		"a node: the stick's":                                {Inputs{Ticket: found(there)}, node, there.Token, false, FromStick, "", ""},
		"a node: the named one":                              {Inputs{Ticket: found(there), Request: Request{Join: Join{Ticket: "f"}}}, node, there.Token, false, FromFile, "", ""},
		"a node: the flags'":                                 {Inputs{Ticket: found(there), Request: Request{Join: Join{Token: "t"}}}, node, there.Token, false, FromFlags, "", ""},
		"a node: none":                                       {Inputs{Ticket: found(nil)}, node, "", false, NoTicket, "join.yaml is missing", ""},
		"a node: a torn one":                                 {Inputs{Ticket: bad}, node, "", false, NoTicket, "it is torn", ""},
		"a node: a named one that is missing":                {Inputs{Ticket: missing}, node, "", false, NoTicket, "mine.yaml", ""},
		"a node that is through: none":                       {Inputs{Ticket: found(nil), Saved: done(&State{Role: manifest.Node, Joined: "x"})}, node, "", false, NoTicket, "", ""},
		"a node that is through: a torn one":                 {Inputs{Ticket: bad, Saved: done(&State{Role: manifest.Node, Joined: "x"})}, node, "", false, NoTicket, "", "it is torn; ignored"},
		"a node that was cut off: none":                      {Inputs{Ticket: found(nil), Saved: &State{Role: manifest.Node, Joined: "x"}}, node, "", false, NoTicket, "is missing", ""},
		"a master: none":                                     {Inputs{Ticket: found(nil)}, m1, "", false, NoTicket, "", ""},
		"a master: a torn one":                               {Inputs{Ticket: bad}, m1, "", false, NoTicket, "it is torn", ""},
		"a master: one that is to be written":                {Inputs{Ticket: missing}, m1, "", false, NoTicket, "", ""},
		"a master: its own":                                  {Inputs{Ticket: found(there)}, m1, "", false, NoTicket, "", ""},
		"a master: another's":                                {Inputs{Ticket: found(there)}, m2, there.Token, false, FromStick, "a master cannot join with it", ""},
		"a master: one for masters":                          {Inputs{Ticket: found(masters)}, m2, masters.Token, false, FromStick, "", ""},
		"a master that began: another's":                     {Inputs{Ticket: found(masters), Saved: began}, m1, "", false, NoTicket, "", ""},
		"a master that began: a torn one":                    {Inputs{Ticket: bad, Saved: began}, m1, "", false, NoTicket, "", "it is torn; ignored"},
		"a master that was joining: none":                    {Inputs{Ticket: found(nil), Saved: joined}, m2, "", false, NoTicket, "is missing", ""},
		"identity, a node":                                   {Inputs{Identity: true, Ticket: found(there), Sealed: &sealed}, node, there.Token, false, FromStick, "", ""},
		"identity, a node: none":                             {Inputs{Identity: true, Ticket: found(nil)}, node, "", false, NoTicket, "there is an identity but no ticket", ""},
		"identity, first, not open":                          {Inputs{Identity: true, Ticket: found(there)}, m1, there.Token, true, FromStick, "", ""},
		"identity, first: none":                              {Inputs{Identity: true, Ticket: found(nil)}, m1, "", true, NoTicket, "", ""},
		"identity, first, but another one runs it":           {Inputs{Identity: true, Running: true, Ticket: found(there)}, m1, there.Token, false, FromStick, "", ""},
		"identity, first, open":                              {Inputs{Identity: true, Ticket: found(&sealed), Sealed: &sealed}, m1, sealed.Token, true, FromIdentity, "", ""},
		"identity, first, open, another token beside it":     {Inputs{Identity: true, Ticket: found(&later), Sealed: &sealed}, m1, sealed.Token, true, FromIdentity, "", "and the ticket in identity.age differ in cluster, token, certificateKey:"},
		"identity, first, open, a torn one beside it":        {Inputs{Identity: true, Ticket: bad, Sealed: &sealed}, m1, sealed.Token, true, FromIdentity, "", ""},
		"identity, second, open":                             {Inputs{Identity: true, Ticket: found(&sealed), Sealed: &sealed}, m2, sealed.Token, false, FromIdentity, "", ""},
		"identity, second, open: none":                       {Inputs{Identity: true, Ticket: found(nil), Sealed: &sealed}, m2, sealed.Token, false, FromIdentity, "", ""},
		"identity, second, open, ended":                      {Inputs{Identity: true, Ticket: found(&later), Sealed: &old}, m2, old.Token, false, FromIdentity, "identity.age expired at", " differ in "},
		"identity, second, open, ended, a later one named":   {Inputs{Identity: true, Ticket: found(&later), Sealed: &old, Request: Request{Join: Join{Ticket: "f"}}}, m2, later.Token, false, FromIdentity, "", ""},
		"identity, joined, cut off: none":                    {Inputs{Saved: byID(joined), Ticket: found(nil), Sealed: &sealed}, m2, sealed.Token, false, FromIdentity, "", ""},
		"identity, began, cut off":                           {Inputs{Saved: byID(began), Ticket: found(there), Sealed: &sealed}, m1, sealed.Token, true, FromIdentity, "", " differ in "},
		"identity, joined, through: only what is not secret": {Inputs{Saved: done(byID(joined)), Ticket: found(there), Sealed: bare}, m2, "", false, NoTicket, "", ""},
		"an identity on the stick of a host without one":     {Inputs{Identity: true, Saved: done(began), Ticket: found(there), Sealed: nil}, m1, "", false, NoTicket, "", ""},
	} {
		v.in.Cluster, v.in.Now, v.in.Facts = c, instant(), at(v.h.address)
		got, err := chooseTicket(&v.in, v.h)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got.Join != nil && got.Begin != nil {
			t.Errorf("%s: it joins and begins", what)
		}
		token, begins := "", false
		if got.Join != nil {
			token = got.Join.Token
		}
		if got.Begin != nil {
			token, begins = got.Begin.Token, true
		}
		if token != v.token || begins != (v.begins && token != "") || got.Origin != v.origin {
			t.Errorf("%s: token %q, begins %v, from %q", what, token, begins, got.Origin)
		}
		if said := fmt.Sprint(got.Err); (v.err == "") != (got.Err == nil) || v.err != "" && (!strings.Contains(said, v.err) || hint.Of(got.Err) == "") {
			t.Errorf("%s: %v (%s)", what, got.Err, hint.Of(got.Err))
		}
		if said := strings.Join(got.warnings, "\n"); (v.warns == "") != (said == "") || !strings.Contains(said, v.warns) {
			t.Errorf("%s: warns %q", what, said)
		}
		if said := strings.Join(got.warnings, "\n"); strings.Contains(said, later.Token) {
			t.Errorf("%s: a secret is told: %s", what, said)
		}
	}
}

// TestEndpoint: where the control plane is reached, by what is known of it.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	own, vip := netip.MustParseAddr("192.168.4.11"), &manifest.VIP{Address: "192.168.4.100"}
	joined := &State{Joined: "192.168.4.12:6443"}
	for _, v := range []struct {
		join  *manifest.Ticket
		saved *State
		c     manifest.Cluster
		own   netip.Addr
		want  string
	}{
		{ticketOf("k8s.lan:8443", ""), joined, manifest.Cluster{Endpoint: "other", VIP: vip}, own, "k8s.lan:8443"},
		{nil, joined, manifest.Cluster{Endpoint: "other", VIP: vip}, own, "192.168.4.12:6443"},
		{nil, &State{}, manifest.Cluster{Endpoint: "other", VIP: vip}, own, "other:6443"},
		{nil, nil, manifest.Cluster{Endpoint: "other:1"}, own, "other:1"},
		{nil, nil, manifest.Cluster{VIP: vip}, own, "192.168.4.100:6443"},
		{nil, nil, manifest.Cluster{}, own, "192.168.4.11:6443"},
		{nil, nil, manifest.Cluster{}, netip.Addr{}, ""},
	} {
		if got := endpoint(v.join, v.saved, &v.c, v.own); got != v.want {
			t.Errorf("%+v: %q, want %q", v, got, v.want)
		}
	}
}

// TestOtherMasters: only a master that would begin a cluster whose ticket is there
// asks the others.
func TestOtherMasters(t *testing.T) {
	t.Parallel()
	base := Inputs{Identity: true, Cluster: cluster(t, three), Facts: at("192.168.4.11"), Ticket: Found{Ticket: ticketOf("192.168.4.11:6443", "")}}
	for what, v := range map[string]struct {
		change func(*Inputs)
		want   string
	}{
		"the first master":          {func(*Inputs) {}, "192.168.4.12:6443"},
		"a name of all masters":     {func(in *Inputs) { in.Ticket.Ticket = ticketOf("k8s.lan:8443", "") }, "192.168.4.12:8443"},
		"the port of one master":    {func(in *Inputs) { in.Ticket.Ticket = ticketOf("192.168.4.11:8443", "") }, "192.168.4.12:6443"},
		"the second master":         {func(in *Inputs) { in.Facts = at("192.168.4.12") }, ""},
		"a stranger":                {func(in *Inputs) { in.Facts = at("192.168.4.99") }, ""},
		"without a ticket":          {func(in *Inputs) { in.Ticket.Ticket = nil }, ""},
		"without an identity":       {func(in *Inputs) { in.Identity = false }, ""},
		"again":                     {func(in *Inputs) { in.Saved = &State{Role: manifest.Master, Identity: true} }, ""},
		"the first master, a node?": {func(in *Inputs) { in.Request.Role = manifest.Node }, ""},
	} {
		in := base
		v.change(&in)
		if got := strings.Join(OtherMasters(in), " "); got != v.want {
			t.Errorf("%s: %q, want %q", what, got, v.want)
		}
	}
}

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
	own, told := list(2), append(list(many), manifest.Host{Name: "other", Address: "10.1.0.1"})
	if got := knownHosts(own, told, nil); len(got) != many || got[0].Name != "h0" || got[many-1].Name != "h4999" {
		t.Errorf("%d hosts", len(got))
	}
	if got := testing.AllocsPerRun(1, func() { knownHosts(own, told, nil) }); got > many/10 {
		t.Errorf("%d hosts take %.0f allocations", many, got)
	}
	if len(own) != 2 {
		t.Error("the cluster's own list was changed")
	}
}

// TestInterface: the interface that the operator named counts, now and later.
func TestInterface(t *testing.T) {
	t.Parallel()
	in := Inputs{Request: Request{Role: manifest.Master, Interface: "bond0"}, Cluster: manifest.DefaultCluster(), Facts: at("192.168.4.11"), Now: instant()}
	first, err := Decide(in)
	if err != nil || first.Interface != "bond0" || first.Named != "bond0" {
		t.Fatalf("%+v, %v", first, err)
	}
	saved := first.State()
	again, err := Decide(Inputs{Cluster: saved.Cluster, Facts: at("192.168.4.11"), Saved: &saved, Now: instant()})
	if err != nil || again.Interface != "bond0" || again.Named != "bond0" || again.Advertise != "192.168.4.11" {
		t.Errorf("later: %+v, %v", again, err)
	}
	in.Request.Interface = ""
	if other, err := Decide(in); err != nil || other.Interface != "eth0" || other.Named != "" {
		t.Errorf("not named: %+v, %v", other, err)
	}
}

// TestBelongs: what lies beside an identity is what it was made with.
func TestBelongs(t *testing.T) {
	t.Parallel()
	sealed := ticketOf("192.168.4.11:6443", "")
	sealed.Hosts = cluster(t, three).Hosts
	foreign := *sealed
	foreign.CACertHashes = []string{"sha256:" + strings.Repeat("cd", 32)}
	elsewhere := *sealed
	elsewhere.Endpoint = "192.168.4.66:6443"
	for what, v := range map[string]struct {
		endpoint string
		join     *manifest.Ticket
		address  string
		says     string
	}{
		"all of it":              {"192.168.4.11", sealed, "192.168.4.12", ""},
		"the first master":       {"192.168.4.11", nil, "192.168.4.11", ""},
		"no endpoint":            {"", nil, "192.168.4.11", "names neither an endpoint nor a vip"},
		"another endpoint":       {"192.168.4.66", nil, "192.168.4.11", "puts the control plane at 192.168.4.66:6443"},
		"another CA":             {"192.168.4.11", &foreign, "192.168.4.12", "is not a ticket of identity.age"},
		"a ticket elsewhere":     {"192.168.4.11", &elsewhere, "192.168.4.12", "is for 192.168.4.66:6443"},
		"not the first, a first": {"192.168.4.11", nil, "192.168.4.12", "in identity.age the first is master1"},
	} {
		target := Target{Cluster: &manifest.Cluster{Endpoint: v.endpoint}, Ticket: Choice{Join: v.join, Path: "join.yaml"}}
		err := target.Belongs(at(v.address), sealed, "identity.age")
		if v.says == "" && err != nil || v.says != "" && (err == nil || !strings.Contains(err.Error(), v.says)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestCluster: flags count before the file, and that before an earlier run.
func TestCluster(t *testing.T) {
	t.Parallel()
	r := Request{PodCIDR: "10.1.0.0/16", Hosts: []string{"node2=192.168.4.13", "m=192.168.4.11=master"}}
	c, err := Cluster(r, nil, nil)
	if err != nil || c.PodCIDR != "10.1.0.0/16" || c.ServiceCIDR != "10.96.0.0/12" || len(c.Hosts) != 2 || c.Hosts[0].Role != manifest.Node {
		t.Errorf("defaults and flags: %+v, %v", c, err)
	}
	saved := &State{Cluster: &manifest.Cluster{APIVersion: manifest.APIVersion, Kind: manifest.KindCluster, Name: "old", PodCIDR: "10.2.0.0/16", ServiceCIDR: "10.3.0.0/16", DNSDomain: "x.y"}}
	if c, err := Cluster(r, nil, saved); err != nil || c.Name != "old" || c.PodCIDR != "10.1.0.0/16" || saved.Cluster.PodCIDR != "10.2.0.0/16" {
		t.Errorf("an earlier run and flags: %+v, %v", c, err)
	}
	file := cluster(t, "name: mine\nhosts: [{name: m, address: 192.168.4.9, role: master, aliases: [k8s.lan]}]\n")
	c, err = Cluster(r, file, saved)
	if err != nil || c.Name != "mine" || len(c.Hosts) != 2 || c.Hosts[0].Address != "192.168.4.11" || c.Hosts[0].Aliases[0] != "k8s.lan" || file.Hosts[0].Address != "192.168.4.9" {
		t.Errorf("cluster.yaml and flags: %+v, %v", c, err)
	}
	for flag, want := range map[string]string{"x": "cannot read --hosts", "x=y": "is not an IP address", "a=10.1.1.1=boss": `"boss" is not known`} {
		if _, err := Cluster(Request{Hosts: []string{flag}}, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--hosts %s: %v", flag, err)
		}
	}
	for what, j := range map[string]Join{"half": {Master: "m"}, "no token": {Master: "m", Token: "t", CACertHash: []string{"h"}}} {
		if k, err := j.ByFlags(); k != nil || err == nil {
			t.Errorf("%s: %+v, %v", what, k, err)
		}
	}
}

// oldState is the install.json of a node that the first release installed.
const oldState = `{
  "bundle": "kubernetes-1.17.4-el7-amd64",
  "role": "node",
  "address": "192.168.4.21",
  "interface": "eth0",
  "runtime": "docker",
  "network": "flannel",
  "family": "el7",
  "cluster": {"apiVersion": "kubecrate/v1", "kind": "Cluster", "name": "kubernetes", "podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/12", "dnsDomain": "cluster.local", "proxy": {"mode": "ipvs"}},
  "joined": "192.168.4.11:6443",
  "ticket": "/mnt/usb/join.yaml",
  "told": {"hosts": [{"name": "master1", "address": "192.168.4.11", "role": "master"}], "timeServer": "192.168.4.11"},
  "finished": true
}
`

// TestOldState: a host that an earlier release installed is understood, and what is
// kept of it does not change by being read.
func TestOldState(t *testing.T) {
	t.Parallel()
	s, err := ParseState([]byte(oldState))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decide(Inputs{Bundle: s.Bundle, Cluster: s.Cluster, Facts: at("192.168.4.21"), Saved: s, Ticket: Found{Path: "join.yaml"}, Now: instant()})
	if err != nil || show(&got) != "node fresh 192.168.4.21 at 192.168.4.11:6443 asks 192.168.4.11" || got.ByIdentity {
		t.Errorf("%s, %v", show(&got), err)
	}
	if !slices.ContainsFunc(got.Hosts, func(h manifest.Host) bool { return h.Name == "master1" }) {
		t.Errorf("hosts %+v", got.Hosts)
	}
	again := got.State()
	again.Bundle, again.Runtime, again.Network, again.Family, again.Ticket, again.Finished = s.Bundle, s.Runtime, s.Network, s.Family, s.Ticket, true
	if !reflect.DeepEqual(&again, s) {
		t.Errorf("kept again it is %+v, was %+v", again, s)
	}
	text, err := again.Marshal()
	if err != nil || !strings.HasSuffix(string(text), "\"finished\": true\n}\n") {
		t.Errorf("%s, %v", text, err)
	}
	for _, text := range []string{"", "{}", "null", `{"role": "single"`, `{"role": "boss", "cluster": {}}`} {
		if _, err := ParseState([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
