package preflight_test

import (
	"net/netip"
	"testing"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/preflight"
)

// said makes a program print something, whatever it is asked.
func said(name, text string) func(*env) {
	return func(e *env) {
		e.m.Programs[name] = func([]string, string) (string, error) { return text, nil }
	}
}

func withLink(name, prefix string) func(*env) {
	return func(e *env) {
		i := facts.Interface{Name: name, MAC: "02:42:00:00:00:09"}
		if prefix != "" {
			i.Addresses = []facts.Address{{Prefix: netip.MustParsePrefix(prefix), Scope: "global"}}
		}
		e.o.Facts.Interfaces = append(e.o.Facts.Interfaces, i)
	}
}

func calico(e *env) { e.o.Manifest.Network = "calico" }

func canal(e *env) { e.o.Manifest.Network = "canal" }

// meshed gives the bundle a network that only the table has.
func meshed(e *env) {
	e.o.Manifest.Network = "mesh"
	e.o.Networks = append(cni.All(), cni.Network{
		Name: "mesh", PodLink: "mesh0", Links: []cni.Link{{Name: "mesh", Prefix: true, Of: "the mesh"}}, Chains: []cni.Chain{{Prefix: "MESH-", Of: "the mesh", Harmful: true}},
		Ports: []cni.Port{{Protocol: cni.UDP, Number: 7777, What: "the mesh", Between: true}, {Protocol: cni.TCP, Number: 179, What: "the mesh's routes"}},
	})
}

// TestLeftovers: what an earlier cluster left, and what is of none.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	const none = "no links or rules"
	both := func(list ...func(*env)) func(*env) {
		return func(e *env) {
			for _, f := range list {
				f(e)
			}
		}
	}
	for _, c := range []change{
		{"leftovers", both(withLink("flannel.1", ""), withLink("flannel-v6.1", ""), withLink("cni0", "")), preflight.Failed, "an earlier network (flannel, flannel or CRI-O) left flannel.1, flannel-v6.1, cni0", "ip link delete flannel.1; ip link delete flannel-v6.1; ip link delete cni0"},
		{"leftovers", both(withLink("vxlan.calico", ""), withLink("wireguard.cali", ""), withLink("nodelocaldns", "")), preflight.Failed, "(calico, the DNS cache) left vxlan.calico, wireguard.cali, nodelocaldns", ""},
		{"leftovers", both(withLink("weave", ""), withLink("kube-bridge", ""), withLink("antrea-gw0", ""), withLink("ovn0", ""), withLink("ovn-k8s-mp0", "")), preflight.Failed, "(weave, kube-router, antrea, kube-ovn, OVN) left", ""},
		{"leftovers", withLink("tunl0", ""), preflight.OK, none, ""},
		{"leftovers", said("iptables-save", "*filter\n:FLANNEL-FWD - [0:0]\n"), preflight.OK, none, ""},
		{"leftovers", both(canal, said("iptables-save", "*filter\n:cali-FORWARD - [0:0]\n")), preflight.Warning, "1 chains of calico", "iptables-restore"},
		{"leftovers", both(meshed, withLink("mesh7", "172.30.0.1/24")), preflight.Failed, "an earlier network (the mesh) left mesh7 (172.30.0.1/24)", "ip link delete mesh7"},
		{"leftovers", both(meshed, said("iptables-save", "*filter\n:MESH-IN - [0:0]\n")), preflight.Warning, "1 chains of the mesh", "grep -v -e ':MESH-'"},
		{"leftovers", both(meshed, func(e *env) { e.o.Manifest.Network = "flannel" }, said("iptables-save", "*filter\n:MESH-IN - [0:0]\n")), preflight.Failed, "1 chains of the mesh in iptables: they may drop", ""},
		{"leftovers", said("iptables-save", "*filter\n:MESH-IN - [0:0]\n"), preflight.OK, none, ""},
		{"leftovers", withLink("cni0", "10.99.0.1/24"), preflight.Failed, "left cni0 (10.99.0.1/24): pods would", "ip link delete cni0"},
		{"leftovers", both(joining, withLink("cni0", "10.244.7.1/24")), preflight.Failed, "(flannel or CRI-O) left cni0 (10.244.7.1/24)", "ip link delete cni0"},
		{"leftovers", both(withLink("cilium_host", ""), withLink("kube-ipvs0", "10.96.0.1/32")), preflight.Failed, "(cilium, kube-proxy) left cilium_host, kube-ipvs0", "ip link delete cilium_host; ip link delete kube-ipvs0"},
		{"leftovers", withLink("cali3e5d1a2b3c4", ""), preflight.Failed, "(calico) left", "ip link delete cali3e5d1a2b3c4"},
		{"leftovers", withLink("tunl0", "10.99.3.1/32"), preflight.Failed, "left tunl0 (10.99.3.1/32)", "ip address flush dev tunl0"},
		{"leftovers", both(withLink("cni-podman0", "10.88.0.1/16"), withLink("virbr0", "192.168.122.1/24"), withLink("br-3f2a", "")), preflight.OK, none, ""},
		{"leftovers", both(withLink("cni0", "10.99.0.1/24"), func(e *env) { e.o.Ours = true }), preflight.OK, "kubecrate already ran kubeadm", ""},
		{"leftovers", said("iptables-save", "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SEP-X - [0:0]\n:CNI-HOSTPORT-DNAT - [0:0]\nCOMMIT\n"), preflight.Warning, "2 chains of kube-proxy", "grep -v -e ':KUBE-' -e ' KUBE-'"},
		{"leftovers", said("iptables-save", "*filter\n:cali-FORWARD - [0:0]\n"), preflight.Failed, "1 chains of calico", "iptables-restore"},
		{"leftovers", both(calico, said("iptables-save", "*filter\n:cali-FORWARD - [0:0]\n")), preflight.Warning, "1 chains of calico", "iptables-restore"},
		{"leftovers", said("iptables-save", "*filter\n:KUBE-POD-FW-ABC - [0:0]\n:WEAVE-NPC - [0:0]\n"), preflight.Failed, "1 chains of kube-router", ""},
		{"leftovers", said("iptables-save", "*filter\n:CNI-FORWARD - [0:0]\n:DOCKER - [0:0]\n-A INPUT -m comment --comment KUBE-x -j ACCEPT\n"), preflight.OK, none, ""},
	} {
		c.test(t)
	}
}

const accepting = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"

// TestFilter: the host's own rules, where no service is behind them.
func TestFilter(t *testing.T) {
	t.Parallel()
	const ok = "no rule of this host"
	rules := func(text string) func(*env) { return said("iptables-save", text+"COMMIT\n") }
	node := func(text string) func(*env) { return func(e *env) { joining(e); rules(text)(e) } }
	for _, c := range []change{
		{"filter", rules(accepting), preflight.OK, ok, ""},
		{"filter", rules(accepting + "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j DROP\n"),
			preflight.Failed, "(-A INPUT -j DROP) drops incoming TCP 6443 (the API server), TCP 6443 from pods, TCP 10250 (the kubelet), UDP 8472 (the pod network)",
			"iptables -I INPUT -s 192.168.4.0/24 -j ACCEPT; iptables -I INPUT -s 10.244.0.0/16 -j ACCEPT"},
		{"filter", rules("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"), preflight.Failed, "(-P INPUT DROP) drops", ""},
		{"filter", rules(accepting + "-A INPUT -s 192.168.0.0/16 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"), preflight.Failed, "drops incoming TCP 6443 from pods", ""},
		{"filter", node(accepting + "-A INPUT -s 192.168.0.0/16 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"), preflight.OK, ok, ""},
		{"filter", rules(accepting + ":OWN - [0:0]\n-A INPUT -j OWN\n-A OWN -p udp -m multiport --dports 53,8000:9000 -j ACCEPT\n-A OWN -p tcp -m multiport --dports 6443,10250:10260 -j RETURN\n-A OWN -j DROP\n"), preflight.OK, ok, ""},
		{"filter", rules(accepting + "-A INPUT -m set --match-set trusted src -j ACCEPT\n-A INPUT -j DROP\n"), preflight.Warning, "may drop incoming", ""},
		{"filter", rules(accepting + "-A INPUT ! -s 192.168.4.0/24 -j DROP\n"), preflight.Failed, "drops incoming TCP 6443 from pods", ""},
		{"filter", rules(accepting + "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m limit --limit 1/sec -j DROP\n-A INPUT -m comment --comment \"not -j DROP\" -j LOG\n"), preflight.OK, ok, ""},
		{"filter", rules(accepting + "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n"), preflight.Failed, "traffic forwarded to and from pods", "iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables -I FORWARD -d 10.244.0.0/16"},
		{"filter", rules("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n-A DOCKER-USER -j RETURN\n"), preflight.OK, ok, ""},
		{"filter", func(e *env) { calico(e); rules(accepting + "-A INPUT -p tcp -m tcp --dport 100:200 -j DROP\n")(e) }, preflight.Failed, "drops incoming TCP 179 (calico's BGP)", ""},
		{"filter", func(e *env) { canal(e); rules(accepting + "-A INPUT -p udp -j DROP\n")(e) }, preflight.Failed, "drops incoming UDP 8472 (the pod network)", ""},
		{"filter", func(e *env) { meshed(e); rules(accepting + "-A INPUT -p udp -j DROP\n")(e) }, preflight.Failed, "drops incoming UDP 7777 (the mesh)", ""},
		{"filter", func(e *env) { meshed(e); rules(accepting + "-A INPUT -i mesh0 -j DROP\n")(e) }, preflight.Failed, "drops incoming TCP 6443 from pods", ""},
		{"filter", func(e *env) {
			meshed(e)
			said("nft", "table inet own {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n")(e)
		}, preflight.Warning, "nftables chain inet own in drops", "TCP 6443, 2379-2380, 10250, 30000-32767, UDP 7777 between all hosts, and everything from the pod network"},
		{"filter", func(e *env) {
			rules(accepting + "-A INPUT -j DROP\n")(e)
			e.m.Units["firewalld.service"] = &hosttest.Unit{Active: true}
		}, preflight.OK, "rules of firewalld.service, which will be stopped", ""},
		{"filter", said("nft", "table inet own {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tct state established accept\n\t}\n}\n"), preflight.Warning, "nftables chain inet own in drops", "nft list ruleset"},
		{"filter", said("nft", "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\ntable inet a {\n\tchain out {\n\t\ttype filter hook output priority 0; policy drop;\n\t}\n\tchain in {\n\t\ttype filter hook input priority 0; policy accept;\n\t\ttcp dport 23 drop\n\t}\n}\n"), preflight.OK, ok, ""},
		{"filter", said("nft", "table inet a {\n\tchain in {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\tcounter packets 1 bytes 60 drop\n\t}\n}\n"), preflight.Warning, "inet a in", ""},
	} {
		c.test(t)
	}
}

// TestSystemdEnvironment: a proxy that systemd was told at run time.
func TestSystemdEnvironment(t *testing.T) {
	t.Parallel()
	change{"proxy", said("systemctl", "LANG=C\nHTTPS_PROXY=http://10.0.0.1:3128\n"), preflight.Failed, "systemd sets an HTTP proxy (HTTPS_PROXY)", "systemctl unset-environment HTTPS_PROXY"}.test(t)
}
