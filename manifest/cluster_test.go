package manifest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/media"
)

const head = "apiVersion: kubecrate/v1\nkind: Cluster\n"

func TestParseCluster(t *testing.T) {
	t.Parallel()
	c, err := manifest.ParseCluster("cluster.yaml", []byte(head+`
endpoint: k8s.lan
proxy: {conntrackMaxPerCore: 0}
hosts:
  - {name: master1, address: 192.168.4.11, role: master}
  - {name: node1, address: 192.168.4.12, role: node, aliases: [node1.lan]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.PodCIDR != "10.244.0.0/16" || c.Proxy.Mode != manifest.ProxyIPVS || c.Proxy.ConntrackMin != nil || *c.Proxy.ConntrackMaxPerCore != 0 {
		t.Errorf("the defaults are not beneath: %+v", c)
	}
	if got := manifest.HostPort(c.Endpoint); got != "k8s.lan:6443" || len(c.Hosts) != 2 {
		t.Errorf("endpoint %s, hosts %v", got, c.Hosts)
	}
	if err := manifest.DefaultCluster().Validate(); err != nil {
		t.Error(err)
	}
}

func TestClusterProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"podcidr: 10.0.0.0/8":                                `cluster.yaml:3:1: unknown key "podcidr" (did you mean "podCIDR"?)`,
		"podCIDR: 10.96.0.0/13":                              "serviceCIDR: 10.96.0.0/12 overlaps podCIDR 10.96.0.0/13",
		"podCIDR: 10.244.1.0/16":                             "the network is 10.244.0.0/16",
		"podCIDR: 10.244.0.0":                                `cluster.yaml:3:10: podCIDR: "10.244.0.0" is not an IPv4 network`,
		"endpoint: 'a b'":                                    "is not an endpoint",
		"endpoint: a:0":                                      "is not an endpoint",
		"proxy: {mode: ipsv}":                                `did you mean "ipvs"?`,
		"proxy: {conntrackMin: x}":                           "must be a whole number",
		"name: Big":                                          "is not a valid name",
		"hosts: [{name: a, role: x}]":                        `hosts[0].address: "" is not an IPv4 address`,
		"hosts: [{address: 10.1.1.1}]":                       `missing key "role" in hosts[0]`,
		"hosts: [{name: a, address: 10.1.1.1, role: boss}]":  `"boss" is not known`,
		"hosts: [{name: a, address: 10.96.0.9, role: node}]": "is inside the cluster network 10.96.0.0/12",
		"hosts: [{name: a, address: 10.1.1.1, role: node}, {name: a, address: 10.1.1.1, role: node}]":                                                   `"a" is already the name of hosts[0]`,
		"hosts: [{name: b, address: 10.1.1.1, role: node}, {name: a, address: 10.1.1.1, role: node}] # x":                                               "10.1.1.1 is already the address of hosts[0]",
		"hosts: [{name: a, address: 10.1.1.1, role: node, mac: '52:54'}]":                                                                               `"52:54" is not a hardware address`,
		"hosts: [{name: a, address: 10.1.1.1, role: node, mac: 52-54-00-AB-00-01}, {name: b, address: 10.1.1.2, role: node, mac: '52:54:00:ab:00:01'}]": "52:54:00:ab:00:01 is already the hardware address of hosts[0]",
		"vip: {address: here}":                          `"here" is not an IPv4 address`,
		"vip: {address: 10.244.9.9}":                    "is inside the cluster network",
		"vip: {address: 10.1.1.9, routerID: 256}":       "256 is not between 1 and 255",
		"vip: {address: 10.1.1.9, interface: 'eth0 }'}": "is not a valid interface name",
		"vip: {address: 10.1.1.9, interface: 'a;b'}":    "is not a valid interface name",
		"vip: {address: 127.0.0.1}":                     "127.0.0.1 cannot be the address of a host",
		"vip: {address: 224.0.0.18}":                    "224.0.0.18 cannot be the address of a host",
		"endpoint: a:65536":                             "is not an endpoint",
		"endpoint: 10.1.1.1:99999":                      "is not an endpoint",
		"serviceCIDR: 10.96.0.0/29":                     "10.96.0.0/29 is not between /12 and /28",
		"serviceCIDR: 11.0.0.0/8":                       "11.0.0.0/8 is not between /12 and /28",
		"podCIDR: 10.244.0.0/25":                        "10.244.0.0/25 is too small",
		"proxy: {conntrackMaxPerCore: -1}":              "conntrackMaxPerCore: -1 is not between 0 and 2147483647",
		"proxy: {conntrackMin: 2147483648}":             "conntrackMin: 2147483648 is not between",
		"hosts: [{name: a, address: 10.1.1.1, role: node, interface: \"e\\e[2J\"}]":                                               "hosts[0].interface:",
		"hosts: [{name: a, address: 10.1.1.1, role: node, interface: ../../x}]":                                                   "is not a valid interface name",
		"hosts: [{name: '1.2.3.4', address: 10.1.1.1, role: node}]":                                                               `"1.2.3.4" looks like an address`,
		"hosts: [{name: a, address: 10.1.1.1, role: node, aliases: ['12']}]":                                                      `"12" looks like an address`,
		"{podCIDR: 10.244.0.0/24, hosts: [{name: a, address: 10.1.1.1, role: master}, {name: b, address: 10.1.1.2, role: node}]}": "has room for 1 hosts with a /24 each, but there are 2",
		"vip: {adddress: 10.1.1.9}": `did you mean "address"?`,
		"vip: [10.1.1.9]":           "must be a mapping",
		"{vip: {address: 10.1.1.1}, hosts: [{name: a, address: 10.1.1.1, role: node}]}": "is the address of a: want an unused address",
	} {
		lines := head + text + "\n"
		if text[0] == '{' {
			lines = "{apiVersion: kubecrate/v1, kind: Cluster, " + text[1:] + "\n"
		}
		_, err := manifest.ParseCluster("cluster.yaml", []byte(lines))
		var invalid *manifest.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestClusterVIP(t *testing.T) {
	t.Parallel()
	c, err := manifest.ParseCluster("cluster.yaml", []byte(head+`
vip: {address: 192.168.4.100}
hosts:
  - {name: node1, address: 192.168.4.12, role: node, mac: "52:54:00:12:34:56"}
  - {name: master1, address: 192.168.4.11, role: master}
  - {name: one, address: 192.168.4.13, role: single}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ControlPlane(); got != "192.168.4.100:6443" {
		t.Errorf("by the virtual address: %s", got)
	}
	if m := c.Masters(); len(m) != 2 || m[0].Name != "master1" {
		t.Errorf("masters %v", m)
	}
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := manifest.ParseCluster("cluster.yaml", text)
	if err != nil || again.VIP.Address != c.VIP.Address || again.Hosts[0].MAC != c.Hosts[0].MAC {
		t.Errorf("written and read: %+v, %v\n%s", again, err, text)
	}
	c.Endpoint = "k8s.lan"
	if got := c.ControlPlane(); got != "k8s.lan:6443" {
		t.Errorf("by the endpoint: %s", got)
	}
	if c := manifest.DefaultCluster(); c.ControlPlane() != "" {
		t.Error("the default cluster has an endpoint")
	}
}

func ticket() *manifest.Ticket {
	return &manifest.Ticket{
		APIVersion: manifest.APIVersion, Kind: manifest.KindTicket, Cluster: "kubernetes", Endpoint: "192.168.4.11:6443",
		Token: "abcdef.0123456789abcdef", CACertHashes: []string{"sha256:" + strings.Repeat("ab", 32)}, Expires: "2020-05-01T12:00:00Z",
		Hosts: []manifest.Host{{Name: "master1", Address: "192.168.4.11", Role: manifest.Master}},
	}
}

// TestTicketOfLargestCluster: Kubernetes is made for 5,000 hosts.
func TestTicketOfLargestCluster(t *testing.T) {
	t.Parallel()
	big := ticket()
	for i := range 5000 {
		big.Hosts = append(big.Hosts, manifest.Host{
			Name: fmt.Sprintf("node%d", i), Address: fmt.Sprintf("10.9.%d.%d", i/250, i%250+1), Role: manifest.Node, Interface: "eth0",
			Aliases: []string{fmt.Sprintf("node%d.lan", i)}, MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", i>>8, i&0xff),
		})
	}
	text, err := big.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := manifest.ParseTicket("join.yaml", text); err != nil || len(read.Hosts) != len(big.Hosts) {
		t.Errorf("%d bytes: %.300v", len(text), err)
	}
}

func TestTicket(t *testing.T) {
	t.Parallel()
	text, err := ticket().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := manifest.ParseTicket("join.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if read.Token != ticket().Token || read.Hosts[0].Name != "master1" {
		t.Errorf("read back: %+v", read)
	}
	at := time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC)
	if !read.Expired(at) || read.Expired(at.Add(-time.Second)) {
		t.Error("it expires at another time")
	}
	if _, err := manifest.ReadTicket(media.Named(t.TempDir() + "/join.yaml")); !os.IsNotExist(err) {
		t.Errorf("a missing one: %v", err)
	}
	for what, change := range map[string]func(*manifest.Ticket){
		"token":                 func(t *manifest.Ticket) { t.Token = "secret.word" },
		"caCertHashes":          func(t *manifest.Ticket) { t.CACertHashes = []string{"md5:1"} },
		"missing key":           func(t *manifest.Ticket) { t.CACertHashes = nil },
		"certificateKey":        func(t *manifest.Ticket) { t.CertificateKey = "secret" },
		"expires":               func(t *manifest.Ticket) { t.Expires = "tomorrow" },
		"issued":                func(t *manifest.Ticket) { t.Issued = "tomorrow" },
		"endpoint":              func(t *manifest.Ticket) { t.Endpoint = "a:b:c" },
		"cluster":               func(t *manifest.Ticket) { t.Cluster = "a\x1b[2J" },
		"kubernetes":            func(t *manifest.Ticket) { t.Kubernetes = "1.17" },
		"proxyMode":             func(t *manifest.Ticket) { t.ProxyMode = "userspace" },
		"timeServer":            func(t *manifest.Ticket) { t.TimeServer = "10.0.0.1\nserver x" },
		"want HOST":             func(t *manifest.Ticket) { t.Endpoint = "192.168.4.11:65536" },
		"the IPv4 address":      func(t *manifest.Ticket) { t.TimeServer = "ntp.lan" },
		"interface":             func(t *manifest.Ticket) { t.Hosts[0].Interface = "eth0 }" },
		"looks like an address": func(t *manifest.Ticket) { t.Hosts[0].Aliases = []string{"127.1"} },
		"localhost":             func(t *manifest.Ticket) { t.Hosts[0].Name = "localhost" },
		"hosts[0].address":      func(t *manifest.Ticket) { t.Hosts[0].Address = "127.0.0.1" },
		"cluster network":       func(t *manifest.Ticket) { t.PodCIDR = "192.168.0.0/16" },
	} {
		bad := ticket()
		change(bad)
		err := bad.Validate()
		if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNetworks: a ticket's networks and addresses are judged as cluster.yaml's are.
func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, bad := range map[string]bool{
		"10.244.0.0/16": false, "10.0.0.0/8": false, "100.64.0.0/10": false, "172.30.0.0/24": false,
		"::/0": true, "fd00::/48": true, "0.0.0.0/0": true, "0.0.0.0/8": true, "10.0.0.0/7": true, "128.0.0.0/1": true,
		"127.0.0.0/8": true, "126.0.0.0/7": true, "169.254.0.0/16": true, "224.0.0.0/4": true, "240.0.0.0/8": true,
		"10.244.0.0/31": true, "10.244.0.0/32": true, "10.244.0.1/16": true, "10.244.0.0": true, "x": true,
	} {
		join := ticket()
		join.PodCIDR = text
		if err := join.Validate(); (err != nil) != bad || bad && !strings.Contains(err.Error(), "podCIDR") {
			t.Errorf("a ticket with pods in %s: %v", text, err)
		}
		c := manifest.DefaultCluster()
		c.PodCIDR, c.ServiceCIDR = text, "192.168.100.0/24"
		if err := c.Validate(); (err != nil) != bad {
			t.Errorf("a cluster with pods in %s: %v", text, err)
		}
	}
	for text, bad := range map[string]bool{
		"192.168.4.11:6443": false, "192.168.4.11": false, "k8s.lan:443": false,
		"0.0.0.0:6443": true, "127.0.0.1:6443": true, "224.0.0.1:6443": true, "255.255.255.255": true, "169.254.169.254:80": true,
		"999.999.999.999:6443": true, "1.2.3:6443": true, "localhost:6443": true, "[::1]:6443": true, "::1": true,
	} {
		join := ticket()
		join.Endpoint = text
		if err := join.Validate(); (err != nil) != bad {
			t.Errorf("a ticket that leads to %s: %v", text, err)
		}
		c := manifest.DefaultCluster()
		c.Endpoint = text
		if err := c.Validate(); (err != nil) != bad {
			t.Errorf("a cluster at %s: %v", text, err)
		}
	}
}

func FuzzParseCluster(f *testing.F) {
	f.Add([]byte(head + "hosts: [{name: a, address: 10.1.1.1, role: node}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := manifest.ParseCluster("cluster.yaml", data)
		if err == nil && c.Validate() != nil {
			t.Errorf("parsed, but not valid: %v", c.Validate())
		}
	})
}

func FuzzParseTicket(f *testing.F) {
	text, err := ticket().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := manifest.ParseTicket("join.yaml", data)
		if err != nil {
			return
		}
		said := k.Cluster + k.Endpoint + k.TimeServer + k.Kubernetes + k.ProxyMode + k.PodCIDR
		for _, h := range k.Hosts {
			said += h.Name + h.Address + h.Interface + strings.Join(h.Aliases, "")
		}
		if strings.ContainsFunc(said, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("taken: %q", said)
		}
		if _, err := manifest.ParseNetwork(k.PodCIDR); k.PodCIDR != "" && err != nil {
			t.Errorf("pods in %q: %v", k.PodCIDR, err)
		}
		text, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.ParseTicket("join.yaml", text); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
