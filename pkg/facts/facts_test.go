package facts_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

// Texts of a CentOS 7.9 in a virtual machine.
const (
	osRelease = `NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
`
	meminfo = "MemTotal:        1863224 kB\nMemFree:         1364528 kB\nMemAvailable:    1480012 kB\n"
	swaps   = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-1                               partition\t2097148\t0\t-2\n"
	mounts  = `rootfs / rootfs rw 0 0
sysfs /sys sysfs rw,seclabel,nosuid,nodev,noexec,relatime 0 0
/dev/mapper/centos-root / xfs rw,seclabel,relatime,attr2,inode64,noquota 0 0
/dev/sdb1 /data\040disk ext4 ro,noexec 0 0
/dev/mapper/centos-var /var/lib/docker xfs rw,noexec,relatime 0 0
`
	ipAddr = `1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
2: eth0    inet 192.168.4.11/24 brd 192.168.4.255 scope global noprefixroute eth0\       valid_lft forever preferred_lft forever
2: eth0    inet 192.168.4.50/24 brd 192.168.4.255 scope global secondary eth0:1\       valid_lft forever preferred_lft forever
3: eth1    inet 10.9.0.6 peer 10.9.0.5/32 scope global eth1\       valid_lft forever preferred_lft forever
4: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\       valid_lft forever preferred_lft forever
`
	routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
		"eth1\t00000000\t05000A0A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n" +
		"eth0\t00000000\t0104A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
		"eth0\t0004A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n" +
		"*\t00000A0A\t00000000\t0200\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	rpmQA = `tzdata-0:2020a-1.el7.noarch
bash-0:4.2.46-34.el7.x86_64
gpg-pubkey-0:f4a80eb5-53a7ff4b.(none)
NetworkManager-1:1.18.8-1.el7.x86_64
`
)

func now() time.Time {
	return time.Date(2020, 5, 1, 14, 0, 0, 999, time.FixedZone("CEST", 2*60*60))
}

// centos is a host of a few years.
func centos(t *testing.T) (*host.Host, *hosttest.Machine) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t,
		"/etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", "/etc/os-release", osRelease,
		"/proc/sys/kernel/hostname", "master1\n", "/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n",
		"/proc/sys/kernel/random/boot_id", "b5e1c2a0-0a55-4b70-9d3b-4d8d6c1c7a10\n",
		"/sys/class/dmi/id/product_uuid", "564D9C7E-1B2C-8A11-1D73-5E0D1A2B3C4D\n", "/etc/machine-id", "0123456789abcdef0123456789abcdef\n",
		"/sys/devices/system/cpu/online", "0-1\n", "/proc/meminfo", meminfo, "/proc/swaps", swaps, "/proc/self/mountinfo", hosttest.MountInfo(mounts),
		"/sys/class/net/lo/address", "00:00:00:00:00:00\n", "/sys/class/net/lo/operstate", "unknown\n",
		"/sys/class/net/eth0/address", "52:54:00:A1:B2:C3\n", "/sys/class/net/eth0/operstate", "up\n",
		"/sys/class/net/eth1/address", "", "/sys/class/net/eth1/operstate", "unknown\n",
		"/sys/class/net/docker0/address", "02:42:11:22:33:44\n", "/sys/class/net/docker0/operstate", "down\n",
		"/sys/class/net/bonding_masters", "\n",
		"/proc/net/route", routes, "/etc/resolv.conf", "search lan\nnameserver 192.168.4.1\nnameserver x\n", "/usr/share/zoneinfo/Europe/Berlin", "TZif", "/var/lib/docker/tmp/x", "",
	)
	if err := os.Symlink("../usr/share/zoneinfo/Europe/Berlin", h.Path("/etc/localtime")); err != nil {
		t.Fatal(err)
	}
	m.Enforce = "Enforcing"
	m.Programs["uname"] = says("x86_64\n")
	m.Programs["ip"] = says(ipAddr)
	m.Programs["rpm"] = says(rpmQA)
	return h, m
}

func says(text string) hosttest.Program {
	return func([]string, string) (string, error) { return text, nil }
}

func read(t *testing.T, h *host.Host) *facts.Facts {
	t.Helper()
	f, err := facts.Read(t.Context(), h, facts.Options{Now: now(), Packages: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	before := m.State(t)
	f := read(t, h)
	if m.State(t) != before {
		t.Error("reading changed something")
	}
	for i := range f.Disks {
		if f.Disks[i].Size <= 0 || f.Disks[i].Free <= 0 {
			t.Errorf("%+v", f.Disks[i])
		}
		f.Disks[i].Size, f.Disks[i].Free = 10, 5
	}
	got, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	want, err := os.ReadFile("testdata/centos7.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var text strings.Builder
	if err := f.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hostname ", "CentOS Linux release 7.9.2009 (Core)", "packages      3\n", "192.168.4.11/24", "route         0.0.0.0/0 via 192.168.4.1 on eth0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// TestReadNothing: a host without any of it has empty facts, and that is no error.
func TestReadNothing(t *testing.T) {
	t.Parallel()
	h, _ := hosttest.New(t)
	f := read(t, h)
	if f.Hostname != "" || f.CPUs != 0 || f.Memory != 0 || f.Arch != "" || len(f.Interfaces) != 0 || len(f.Packages) != 0 {
		t.Errorf("%+v", f)
	}
	var b strings.Builder
	if err := f.WriteText(&b); err != nil {
		t.Error(err)
	}
}

func TestReadFails(t *testing.T) {
	t.Parallel()
	h, m := centos(t)
	m.Programs["rpm"] = func([]string, string) (string, error) {
		return "", &hosttest.Exit{Code: 1, Stderr: "error: rpmdb: BDB0113 Thread/process failed"}
	}
	_, err := facts.Read(t.Context(), h, facts.Options{Now: now(), Packages: true})
	if err == nil || !strings.Contains(err.Error(), "packages") || !strings.Contains(err.Error(), "BDB0113") {
		t.Errorf("a broken database: %v", err)
	}
	if _, err := facts.Read(t.Context(), h, facts.Options{Now: now()}); err != nil {
		t.Errorf("without the packages: %v", err)
	}
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	h, _ := centos(t)
	var b strings.Builder
	if err := read(t, h).Baseline(&b); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/host.facts"
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, _, err := manifest.Baseline(path, "")
	want := "NetworkManager-1:1.18.8-1.el7.x86_64 bash-4.2.46-34.el7.x86_64 tzdata-2020a-1.el7.noarch"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v", got, err)
	}
}

const clusterHead = "apiVersion: kubecrate/v1\nkind: Cluster\nhosts:\n"

func TestAddressOf(t *testing.T) {
	t.Parallel()
	noDefault := strings.ReplaceAll(routes, "\t00000000\t0\t0\t0\n", "\t000000FF\t0\t0\t0\n")
	three := ipAddr + "2: eth0    inet 10.4.0.2/16 brd 10.4.255.255 scope global eth0\\  x\n"
	for name, test := range map[string]struct {
		flag, cluster, routes, ip, hostname string
		want, iface, err, hint              string
	}{
		"default route":             {want: "192.168.4.11", iface: "eth0"},
		"the gateway's network":     {ip: three, want: "192.168.4.11", iface: "eth0"},
		"flag":                      {flag: "10.9.0.6", want: "10.9.0.6", iface: "eth1"},
		"flag, no address":          {flag: "10.9.0.600", err: "not an IPv4 address", hint: "--advertise-address 192.168.4.11 (on eth0), or --advertise-address 192.168.4.50 (on eth0)"},
		"flag, not here":            {flag: "10.9.0.7", err: "no interface of this host has that address", hint: "--advertise-address"},
		"flag, loopback":            {flag: "127.0.0.1", err: "no interface", hint: "--advertise-address"},
		"no default route":          {routes: noDefault, err: "no default route", hint: "--advertise-address 192.168.4.11 (on eth0)"},
		"no default route, one":     {routes: noDefault, ip: strings.SplitAfter(ipAddr, "\n")[1], err: "no default route", hint: "--advertise-address 192.168.4.11"},
		"no address at all":         {routes: noDefault, ip: "\n", err: "no default route", hint: "ip addr add ADDRESS/BITS"},
		"several":                   {ip: strings.ReplaceAll(three, "192.168.4.", "192.168.5."), routes: strings.ReplaceAll(routes, "0104A8C0", "01010101"), err: "no single suitable", hint: "10.4.0.2"},
		"the cluster, by address":   {cluster: "- {name: m, address: 10.9.0.6, role: master}", want: "10.9.0.6", iface: "eth1"},
		"the cluster, interface":    {cluster: "- {name: m, address: 10.9.0.6, role: master, interface: eth1}", want: "10.9.0.6", iface: "eth1"},
		"another interface":         {cluster: "- {name: m, address: 10.9.0.6, role: master, interface: eth0}", err: "it is on eth1", hint: "cluster.yaml: eth1"},
		"the cluster, by name":      {cluster: "- {name: master1, address: 10.9.0.9, role: master}", err: "the address of master1 in the cluster's host list is 10.9.0.9", hint: "--advertise-address"},
		"the cluster, not in it":    {cluster: "- {name: m, address: 10.9.0.9, role: master}", want: "192.168.4.11", iface: "eth0"},
		"the cluster, twice":        {cluster: "- {name: a, address: 10.9.0.6, role: node}\n- {name: b, address: 192.168.4.11, role: node}", err: "it could be a (10.9.0.6) or b (192.168.4.11)", hint: "cluster.yaml"},
		"twice, the name tells":     {cluster: "- {name: a, address: 10.9.0.6, role: node}\n- {name: master1, address: 192.168.4.11, role: node}", want: "192.168.4.11", iface: "eth0"},
		"the name with its domain":  {hostname: "Master1.lan", cluster: "- {name: master1, address: 192.168.4.11, role: node}\n- {name: b, address: 10.9.0.6, role: node}", want: "192.168.4.11", iface: "eth0"},
		"docker's address is no id": {cluster: "- {name: a, address: 172.17.0.1, role: node}", want: "192.168.4.11", iface: "eth0"},
	} {
		h, m := centos(t)
		if test.routes != "" {
			m.Write(t, "/proc/net/route", test.routes)
		}
		if test.ip != "" {
			m.Programs["ip"] = says(test.ip)
		}
		if test.hostname != "" {
			m.Write(t, "/proc/sys/kernel/hostname", test.hostname)
		}
		cluster := manifest.DefaultCluster()
		if test.cluster != "" {
			var err error
			if cluster, err = manifest.ParseCluster("cluster.yaml", []byte(clusterHead+test.cluster+"\n")); err != nil {
				t.Fatal(err)
			}
		}
		a, iface, err := facts.AddressOf(read(t, h), cluster, test.flag)
		switch {
		case test.err == "" && (err != nil || a.String() != test.want || iface != test.iface):
			t.Errorf("%s: %v on %s, %v", name, a, iface, err)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(hint.Of(err), test.hint)):
			t.Errorf("%s: %v, hint %q", name, err, hint.Of(err))
		}
	}
}

func TestSelf(t *testing.T) {
	t.Parallel()
	h, _ := centos(t)
	f := read(t, h)
	c, err := manifest.ParseCluster("cluster.yaml", []byte(clusterHead+"- {name: n, address: 10.0.0.1, role: node, aliases: [master1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if self, err := facts.Self(f, c); err != nil || self == nil || self.Name != "n" {
		t.Errorf("by alias: %v, %v", self, err)
	}
	c, err = manifest.ParseCluster("cluster.yaml", []byte(clusterHead+"- {name: m, address: 10.0.0.1, role: node, mac: 52-54-00-A1-B2-C3}\n- {name: other, address: 10.0.0.2, role: node, mac: '52:54:00:00:00:99'}\n- {name: master1, address: 10.0.0.3, role: node}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if self, err := facts.Self(f, c); err != nil || self == nil || self.Name != "m" {
		t.Errorf("by hardware address, which comes before the name: %v, %v", self, err)
	}
	if self, err := facts.Self(f, nil); err != nil || self != nil {
		t.Errorf("without a cluster: %v, %v", self, err)
	}
}

// TestVirtual: the interfaces of containers and of networks are told from those
// that lead to other hosts; a network that only the table has, by the table.
func TestVirtual(t *testing.T) {
	t.Parallel()
	h, _ := centos(t)
	mesh := append(cni.All(), cni.Network{Name: "mesh", Links: []cni.Link{{Name: "mesh", Prefix: true, Of: "mesh"}}})
	known, err := facts.Read(t.Context(), h, facts.Options{Now: now(), Networks: mesh})
	if err != nil {
		t.Fatal(err)
	}
	f := read(t, h)
	for _, c := range []struct {
		f                *facts.Facts
		name             string
		virtual, cluster bool
	}{
		{f, "lo", true, false}, {f, "docker0", true, false}, {f, "br-3f2a", true, false}, {f, "virbr0", true, false}, {f, "veth12", true, false}, {f, "dummy0", true, false},
		{f, "cni0", true, true}, {f, "cni-podman0", true, true}, {f, "flannel.1", true, true}, {f, "flannel0", true, true}, {f, "cali0a1b", true, true},
		{f, "vxlan.calico", true, true}, {f, "wireguard.cali", true, true}, {f, "tunl0", true, true}, {f, "kube-ipvs0", true, true}, {f, "nodelocaldns", true, true},
		{f, "weave", true, true}, {f, "cilium_host", true, true},
		{f, "eth0", false, false}, {f, "bond0.12", false, false}, {f, "mesh0", false, false}, {known, "mesh0", true, true}, {known, "eth0", false, false},
	} {
		if v, k := c.f.Virtual(c.name), c.f.Cluster(c.name); v != c.virtual || k != c.cluster {
			t.Errorf("%s: virtual %v, of the cluster %v", c.name, v, k)
		}
	}
}
