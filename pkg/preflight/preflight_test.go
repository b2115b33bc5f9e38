package preflight_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/cli"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/nevra/nevratest"
	"kubecrate/pkg/preflight"
)

const (
	gb = 1_000_000_000

	mountsText = "/dev/a / xfs rw 0 0\ncgroup /sys/fs/cgroup/systemd cgroup rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
	cgroupText = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t1\t1\t1\ncpuacct\t1\t1\t1\nmemory\t4\t1\t1\ndevices\t5\t1\t1\nfreezer\t6\t1\t1\n"
	tcpHead    = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	sshText    = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18030 1 ffff8800b7ad0000 100 0 0 10 0\n"
	apiText    = "   1: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 ffff8800b7ad0000 100 0 0 10 0\n"
)

// env is what a case changes: a host that can become anything, and what is known.
type env struct {
	t *testing.T
	h *host.Host
	m *hosttest.Machine
	o preflight.Options
}

func (e *env) remove(path string) {
	e.t.Helper()
	if err := os.RemoveAll(e.h.Path(path)); err != nil {
		e.t.Fatal(err)
	}
}

func ready(t *testing.T) *env {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t,
		"/etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", "/etc/os-release", "ID=\"centos\"\nVERSION_ID=\"7\"\n",
		"/run/systemd/system/x", "", "/proc/self/mountinfo", hosttest.MountInfo(mountsText), "/proc/cgroups", cgroupText,
		"/proc/net/tcp", tcpHead+sshText, "/proc/net/tcp6", tcpHead, "/etc/cni/net.d/87-podman-bridge.conflist", "{}",
	)
	for _, name := range []string{"ip", "iptables", "modprobe", "mount", "nsenter", "rpm", "sysctl", "conntrack", "ebtables", "ethtool", "socat", "tc"} {
		m.Write(t, "/usr/sbin/"+name, "")
	}
	e := &env{t: t, h: h, m: m, o: preflight.Options{
		Role:     manifest.Master,
		Facts:    sheet("master1", "192.168.4.11"),
		Manifest: &manifest.Manifest{Platform: manifest.Platform{Arch: "amd64"}, Kubernetes: "v1.17.4", Runtime: manifest.RuntimeDocker, Network: manifest.NetworkFlannel},
		Needs:    []preflight.Need{{"/usr", gb, "packages"}, {"/var/lib/docker", 2 * gb, "images"}, {"/var/lib/kubelet", 0, "the kubelet"}},
	}}
	e.family("el7")
	return e
}

// family makes the bundle one for another family.
func (e *env) family(name string) {
	e.t.Helper()
	d, err := distro.For(name)
	if err != nil {
		e.t.Fatal(err)
	}
	e.o.Manifest.Platform.Family, e.o.Software, e.h.Software = name, d, d
}

// sheet is a host of 2 CPUs and 2 GiB at an address of 192.168.4.0/24.
func sheet(name, address string) *facts.Facts {
	a := netip.MustParseAddr(address)
	last := address[strings.LastIndexByte(address, '.')+1:]
	f := &facts.Facts{
		Hostname: name, Time: time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC),
		Kernel: "3.10.0-1160.el7.x86_64", Arch: "amd64", CPUs: 2, Memory: 1819 << 20,
		ProductUUID: "uuid-" + last, MachineID: "machine-" + last,
		Interfaces: []facts.Interface{
			{Name: "docker0", MAC: "02:42:00:00:00:01", Addresses: []facts.Address{{Prefix: netip.MustParsePrefix("172.17.0.1/16"), Scope: "global"}}},
			{Name: "eth0", MAC: "52:54:00:00:00:" + last, Addresses: []facts.Address{{Prefix: netip.PrefixFrom(a, 24), Scope: "global"}}},
			{Name: "tunl0"}, // of the kernel's module
			{Name: "lo", Addresses: []facts.Address{{Prefix: netip.MustParsePrefix("127.0.0.1/8"), Scope: "host"}}},
		},
		Routes: []facts.Route{
			{Interface: "eth0", Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.168.4.1")},
			{Interface: "eth0", Destination: netip.MustParsePrefix("192.168.4.0/24")},
			{Interface: "cni0", Destination: netip.MustParsePrefix("10.244.0.0/24")},
		},
		Nameservers: []string{"192.168.4.1", "127.0.0.1"},
	}
	for _, path := range []string{"/", "/usr", "/var/lib/docker", "/var/lib/etcd", "/var/lib/kubelet"} {
		f.Disks = append(f.Disks, facts.Disk{Path: path, Mount: "/", Type: "xfs", Size: 50 * gb, Free: 40 * gb})
	}
	return f
}

func joining(e *env) {
	e.o.Role = manifest.Node
	e.o.Facts = sheet("node1", "192.168.4.12")
	e.o.Ticket = &manifest.Ticket{
		Endpoint: "192.168.4.11:6443", Expires: "2020-05-02T11:50:00Z", Kubernetes: "v1.17.4", PodCIDR: "10.244.0.0/16",
		Hosts: []manifest.Host{{Name: "master1", Address: "192.168.4.11", Role: manifest.Master}},
	}
	e.o.Others = []*facts.Facts{sheet("master1", "192.168.4.11"), e.o.Facts}
}

// TestReady: a host that is as it should be has nothing but ok, in every role.
func TestReady(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*env){
		func(*env) {}, joining, func(e *env) { e.o.Role = manifest.Single },
		func(e *env) { joining(e); e.o.Ours = true; e.m.Write(e.t, "/etc/kubernetes/kubelet.conf", "") },
	} {
		e := ready(t)
		change(e)
		before := e.m.State(t)
		r := preflight.Run(t.Context(), e.h, e.o)
		if err := r.Err(); err != nil || len(r.Of(preflight.Warning)) > 0 {
			t.Errorf("%s: %v, %+v", e.o.Role, err, r.Of(preflight.Warning))
		}
		ran := slices.DeleteFunc(e.m.Calls(), func(line string) bool {
			return slices.Contains([]string{"systemctl show-environment", "iptables-save", "iptables-save -t filter", "nft list ruleset"}, line) || strings.HasPrefix(line, "systemctl show --property=")
		})
		if len(r.Of(preflight.OK)) < 20 || e.m.State(t) != before || len(ran) > 0 {
			t.Errorf("%d are ok; it changed something, or ran %v", len(r.Of(preflight.OK)), ran)
		}
	}
}

type change struct {
	name  string // of the check
	do    func(*env)
	state preflight.State
	says  string
	fixed string
}

func (c change) test(t *testing.T) {
	t.Helper()
	e := ready(t)
	c.do(e)
	r := preflight.Run(t.Context(), e.h, e.o)
	i := slices.IndexFunc(r.Checks, func(x preflight.Check) bool {
		return x.Name == c.name && x.State == c.state && strings.Contains(x.Message, c.says) && strings.Contains(x.Hint, c.fixed)
	})
	if i < 0 {
		t.Errorf("%s: no %s %q with %q in\n%+v", c.name, c.state, c.says, c.fixed, r.Checks)
	}
	for _, x := range r.Checks {
		if x.State == preflight.Failed && (x.Name != c.name || x.Hint == "") {
			t.Errorf("%s: failed as well, or has no hint: %+v", c.says, x)
		}
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []change{
		{"root", func(e *env) { e.o.EUID = 1000 }, preflight.Failed, "running as user 1000", "sudo"},
		{"os", func(e *env) { e.m.Write(e.t, "/etc/redhat-release", "CentOS Linux release 7.4.1708 (Core)\n") }, preflight.Failed, "7.4.1708", "yum update"},
		{"os", func(*env) {}, preflight.OK, "CentOS Linux release 7.9.2009 (Core)", ""},
		{"os", func(e *env) { e.family("el8") }, preflight.Failed, "CentOS Linux release 7.9.2009", "bundle"},
		{"arch", func(e *env) { e.o.Facts.Arch = "arm64" }, preflight.Failed, "architecture is arm64, the bundle is for amd64", "platform.arch: arm64"},
		{"arch", func(e *env) { e.o.Facts.Arch = "" }, preflight.Failed, "unknown", "platform.arch"},
		{"kernel", func(e *env) { e.o.Facts.Kernel = "2.6.32-754.el6.x86_64" }, preflight.Failed, "needs 3.10", "grubby"},
		{"kernel", func(e *env) { e.o.Facts.Kernel = "4.19.1" }, preflight.OK, "4.19.1", ""},
		{"systemd", func(e *env) { e.remove("/run/systemd/system") }, preflight.Failed, "systemd is not running", "boot"},
		{"cgroups", func(e *env) { e.m.Write(e.t, "/proc/self/mountinfo", hosttest.MountInfo("/dev/a / xfs rw 0 0\n")) }, preflight.Failed, "no control groups", "daemon-reexec"},
		{"cgroups", func(e *env) {
			e.m.Write(e.t, "/proc/cgroups", strings.Replace(cgroupText, "memory\t4\t1\t1", "memory\t0\t1\t0", 1))
		}, preflight.Failed, `"memory"`, "cgroup_disable=memory"},
		{"cgroups", func(e *env) {
			e.m.Write(e.t, "/proc/self/mountinfo", hosttest.MountInfo("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"))
		}, preflight.Failed, "only cgroup v1", "unified_cgroup_hierarchy=0"},
		{"cgroups", func(e *env) {
			e.m.Write(e.t, "/proc/self/mountinfo", hosttest.MountInfo("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"))
			e.o.Manifest.Kubernetes = "v1.28.2"
		}, preflight.OK, "cgroup v2", ""},
		{"cpus", func(e *env) { e.o.Facts.CPUs = 1 }, preflight.Failed, "this host has 1 CPU, a master needs 2", "CPU"},
		{"cpus", func(e *env) { joining(e); e.o.Facts.CPUs = 1 }, preflight.OK, "1 CPU", ""},
		{"memory", func(e *env) { e.o.Facts.Memory = 1 << 30 }, preflight.Failed, "this host has 1024 MiB of memory, a master needs 1700 MiB", "2048"},
		{"memory", func(e *env) { joining(e); e.o.Facts.Memory = 1 << 30 }, preflight.Warning, "1024 MiB", "2048"},
		{"memory", func(e *env) { joining(e); e.o.Facts.Memory = 512 << 20 }, preflight.Failed, "a node needs 900 MiB", "2048"},
		{"programs", func(e *env) { e.remove("/usr/sbin/iptables") }, preflight.Failed, "iptables is missing", "packages.roots"},
		{"programs", func(e *env) { e.remove("/usr/sbin/socat") }, preflight.Warning, "socat is missing", "socat-*.rpm"},
		{"programs", func(e *env) {
			e.remove("/usr/sbin/conntrack")
			e.o.Lock = &manifest.Lock{Packages: []manifest.LockedPackage{{NEVRA: nevratest.Parse("conntrack-tools-1.4.4-7.el7.x86_64")}, {}}}
		}, preflight.OK, "conntrack: installed from the bundle", ""},
	} {
		c.test(t)
	}
}

// v2 is a host that runs on cgroup v2 alone, whatever old hierarchy is mounted beside.
func v2(e *env) {
	e.m.Write(e.t, "/proc/self/mountinfo", hosttest.MountInfo("/dev/a / xfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\ncgroup /run/vpn/net_cls cgroup rw,net_cls 0 0\n"))
}

// of is a bundle of a release.
func of(version string) func(*env) { return func(e *env) { e.o.Manifest.Kubernetes = version } }

func all(changes ...func(*env)) func(*env) {
	return func(e *env) {
		for _, c := range changes {
			c(e)
		}
	}
}

// TestRelease: what a host must have is that of the release, oldest and newest.
func TestRelease(t *testing.T) {
	t.Parallel()
	kernel := func(version string) func(*env) { return func(e *env) { e.o.Facts.Kernel = version } }
	for _, c := range []change{
		{"cgroups", of("v1.31.2"), preflight.OK, "cgroup v1 with", ""},
		{"cgroups", all(of("v1.35.0"), kernel("5.4.1")), preflight.Failed, "cgroup v1, but the kubelet of Kubernetes v1.35.0", "1.34"},
		{"cgroups", all(of("v1.37.2"), kernel("6.1.1")), preflight.Failed, "cgroup v1", "Enterprise Linux 8"},
		{"cgroups", all(of("v1.35.0"), v2, kernel("6.12.0-55.el10")), preflight.OK, "cgroup v2", ""},
		{"cgroups", all(of("v1.18.0"), v2), preflight.Failed, "only cgroup v1", "unified_cgroup_hierarchy=0"},
		{"kernel", of("v1.31.14"), preflight.OK, "3.10.0", ""},
		{"kernel", of("v1.32.0"), preflight.Failed, "needs 4.19", "grubby"},
		{"kernel", all(of("v1.33.1"), kernel("4.18.0-553.el8_10.x86_64")), preflight.Failed, "needs 4.19", "grubby"},
		{"kernel", all(of("v1.33.1"), kernel("4.19.1")), preflight.OK, "4.19.1", ""},
		{"kernel", all(of("v1.33.1"), kernel("5.14.0-503.el9")), preflight.OK, "5.14.0", ""},
		{"kernel", all(of("v1.34.0"), kernel("5.14.0-503.el9")), preflight.OK, "5.14.0", ""},
		{"kernel", all(of("v1.34.0"), kernel("4.18.0-553.el8_10.x86_64")), preflight.Warning, "tested with 5.4", "1.31"},
		{"kernel", all(of("v1.34.0"), kernel("2.6.32")), preflight.Failed, "needs 3.10", "grubby"},
	} {
		c.test(t)
	}
}

// TestBundle: a bundle whose parts do not agree is told before anything is changed.
func TestBundle(t *testing.T) {
	t.Parallel()
	lock := func(baseline string, packages ...string) func(*env) {
		return func(e *env) {
			e.o.Lock = &manifest.Lock{Baseline: baseline}
			for _, p := range packages {
				e.o.Lock.Packages = append(e.o.Lock.Packages, manifest.LockedPackage{NEVRA: nevratest.Parse(p)})
			}
			for _, n := range []string{"kube-apiserver:v1.17.4", "kube-controller-manager:v1.17.4", "kube-scheduler:v1.17.4", "kube-proxy:v1.17.4", "pause:3.1", "etcd:3.4.3-0", "coredns:1.6.5"} {
				e.o.Lock.Images = append(e.o.Lock.Images, manifest.LockedImage{Name: "k8s.gcr.io/" + n})
			}
		}
	}
	whole := []string{"docker-ce-18.06.3.ce-3.el7.x86_64", "kubeadm-1.17.4-0.x86_64", "kubectl-1.17.4-0.x86_64", "kubelet-1.17.4-0.x86_64"}
	needs := func(level string) func(*env) {
		return func(e *env) { e.o.Lock.Images[0].CPU = level }
	}
	flags := func(text string) func(*env) {
		return func(e *env) { e.m.Write(e.t, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu "+text+"\n") }
	}
	for _, c := range []change{
		{"bundle", lock("none", whole...), preflight.OK, "agree", ""},
		{"bundle", all(lock("none", whole...), of("v1.17.5")), preflight.Failed, "v1.17.5, but packages have another version: kubelet-1.17.4-0", "bundle build"},
		{"bundle", lock("none", whole[:3]...), preflight.Failed, "no package provides kubelet", "kubelet-1.17.4"},
		{"bundle", lock("of a host", whole[:3]...), preflight.Warning, "no package provides kubelet", "kubelet-1.17.4"},
		{"bundle", all(lock("of a host", whole[:3]...), func(e *env) { e.o.Facts.Packages = whole[3:] }), preflight.OK, "agree", ""},
		{"processor", all(lock("none", whole...), needs("x86-64-v2"), flags("cx16 lahf_lm popcnt pni sse4_1 ssse3")), preflight.Failed, "lacks sse4_2", "host-passthrough"},
		{"processor", all(lock("none", whole...), needs("x86-64-v2"), flags("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3")), preflight.OK, "x86-64-v2", ""},
		{"processor", all(lock("none", whole...), needs("x86-64-v3"), flags("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx")), preflight.Failed, "lacks avx2", ""},
	} {
		c.test(t)
	}
}

// disks changes one of the host's file systems.
func disks(path string, f func(*facts.Disk)) func(*env) {
	return func(e *env) {
		for i := range e.o.Facts.Disks {
			if d := &e.o.Facts.Disks[i]; d.Path == path || path == "" {
				f(d)
			}
		}
	}
}

func TestDisks(t *testing.T) {
	t.Parallel()
	for _, c := range []change{
		{"disk", func(*env) {}, preflight.OK, "/: 40 GB free, 3.3 GB needed", ""},
		{"disk", disks("", func(d *facts.Disk) { d.Free = 3 * gb }), preflight.Failed, "/ has 3.0 GB free, packages, images need 3.3 GB", "du -xh"},
		{"disk", disks("", func(d *facts.Disk) { d.Free = 8 * gb }), preflight.Failed, "4.7 GB of 50 GB left (9%); below 10%", "journalctl"},
		{"disk", disks("", func(d *facts.Disk) { d.Free = 9 * gb }), preflight.Warning, "(11%); below 15% the kubelet deletes unused images", "yum clean all"},
		{"disk", disks("/usr", func(d *facts.Disk) { d.Mount, d.Free = "/usr", 2*gb }), preflight.OK, "/usr: 2.0 GB free, 1.1 GB needed", ""},
		{"disk", func(e *env) { e.o.Needs = []preflight.Need{{"/srv", 1 << 62, "much"}} }, preflight.Failed, "much need", "du"},
		{"mounts", disks("/", func(d *facts.Disk) { d.ReadOnly = true }), preflight.Failed, "mounted read-only", "mount -o remount,rw /"},
		{"mounts", disks("/var/lib/docker", func(d *facts.Disk) { d.Mount, d.NoExec = "/var/lib/docker", true }), preflight.Failed, "noexec", "mount -o remount,exec /var/lib/docker"},
		{"mounts", disks("/var/lib/etcd", func(d *facts.Disk) { d.Mount, d.Type = "/var/lib/etcd", "nfs4" }), preflight.Failed, "network file system (nfs4)", "/var/lib/etcd"},
		{"mounts", disks("/var/lib/etcd", func(d *facts.Disk) { d.Mount, d.Type = "", "tmpfs" }), preflight.Warning, "in memory", "/var/lib/etcd"},
		{"mounts", func(e *env) { joining(e); disks("/var/lib/etcd", func(d *facts.Disk) { d.Type = "nfs" })(e) }, preflight.OK, "/var/lib/kubelet", ""},
	} {
		c.test(t)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	idx := &archive.Index{}
	for _, a := range []manifest.Artifact{
		{Size: 1, Kind: manifest.KindRPM}, {Size: 10, Kind: manifest.KindImage}, {Size: 100, Kind: manifest.KindImage, Roles: []manifest.Role{manifest.Master}}, {Size: 1000, Kind: manifest.KindMeta},
	} {
		idx.Members = append(idx.Members, archive.Member{Artifact: a})
	}
	for _, test := range []struct {
		runtime string
		role    manifest.Role
		path    string
		want    int64
	}{
		{"docker", manifest.Node, "/var/lib/docker", 10}, {"docker", manifest.Master, "/var/lib/docker", 110},
		{"containerd", manifest.Single, "/var/lib/containerd", 220}, {"docker", manifest.Node, "/usr", 5}, {"docker", manifest.Node, "/var/lib/kubecrate", 1},
		{"docker", manifest.Node, "/var/lib/etcd", -1}, {"docker", manifest.Single, "/var/lib/etcd", 256 << 20},
	} {
		got := int64(-1)
		for _, n := range preflight.NeedsOf(idx, cri.All().About(test.runtime), test.role) {
			if n.Path == test.path {
				got = n.Bytes
			}
		}
		if got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func clusterOf(t *testing.T, text string) *manifest.Cluster {
	t.Helper()
	c, err := manifest.ParseCluster("cluster.yaml", []byte("apiVersion: kubecrate/v1\nkind: Cluster\n"+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNames(t *testing.T) {
	t.Parallel()
	called := func(name string) func(*env) { return func(e *env) { e.o.Facts.Hostname = name } }
	listed := func(text string) func(*env) { return func(e *env) { e.o.Cluster = clusterOf(e.t, text) } }
	other := func(f func(*facts.Facts)) func(*env) {
		return func(e *env) { joining(e); f(e.o.Others[0]) }
	}
	for _, c := range []change{
		{"hostname", called("localhost.localdomain"), preflight.Failed, `hostname is "localhost.localdomain"`, "--hostname"},
		{"hostname", called(""), preflight.Failed, `hostname is ""`, "--hostname"},
		{"hostname", called("a_b"), preflight.Failed, `"a_b" is not a valid`, "--hostname"},
		{"hostname", called("a..b"), preflight.Failed, "is not a valid node name", "--hostname"},
		{"hostname", called("a\x1b"), preflight.Failed, `"a\x1b"`, "--hostname"},
		{"hostname", called(strings.Repeat("a.", 40) + "b"), preflight.Failed, "81 characters", "--hostname"},
		{"hostname", called("101"), preflight.Failed, "101 looks like an IP address", "--hostname"},
		{"hostname", called("10.1.2.3"), preflight.Failed, "10.1.2.3 looks like an IP address", "--hostname"},
		{"hostname", called("101a"), preflight.OK, "101a", ""},
		{"hostname", called("Master1"), preflight.Warning, "the node name will be master1", "--hostname"},
		{"hostname", func(e *env) { called("localhost")(e); e.o.Hostname = "m" }, preflight.OK, "m", ""},
		{"hostname", func(e *env) {
			called("localhost")(e)
			listed("hosts: [{name: m, address: 192.168.4.11, role: master}]")(e)
		}, preflight.OK, "m", ""},
		{"cluster", listed("hosts: [{name: m, address: 192.168.4.11, role: master}]"), preflight.OK, "m is a master in the cluster's host list", ""},
		{"cluster", listed("hosts: [{name: m, address: 192.168.4.11, role: single}]"), preflight.Failed, "m is a single host, not a master", "--role single"},
		{"cluster", listed("hosts: [{name: m, address: 192.168.4.99, role: master}]"), preflight.Warning, "no entry for master1", "cluster.yaml"},
		{"duplicates", other(func(f *facts.Facts) { f.Hostname = "Node1" }), preflight.Warning, "the same name node1", "--hostname"},
		{"duplicates", other(func(f *facts.Facts) { f.Interfaces[1].MAC = "52:54:00:00:00:12" }), preflight.Warning, "(MAC) 52:54:00:00:00:12", "virtual machine"},
		{"duplicates", other(func(f *facts.Facts) { f.Interfaces[1].Addresses[0].Prefix = netip.MustParsePrefix("192.168.4.12/24") }), preflight.Warning, "same address 192.168.4.12", "ip addr"},
		{"duplicates", other(func(f *facts.Facts) { f.ProductUUID = "uuid-12" }), preflight.Warning, "product_uuid uuid-12", "virtual machine"},
		{"duplicates", other(func(f *facts.Facts) { f.MachineID = "machine-12" }), preflight.Warning, "machine-id machine-12", "systemd-machine-id-setup"},
		{"duplicates", func(e *env) { joining(e); e.o.Ticket.Hosts[0].Name = "node1"; e.o.Others = nil }, preflight.Failed, "in the ticket, node1 is 192.168.4.11", "--hostname"},
		{"duplicates", func(e *env) { joining(e); e.o.Ticket.Hosts[0].Address = "192.168.4.12"; e.o.Others = nil }, preflight.Failed, "master1 has the address 192.168.4.12, which is also this host's", "change the address"},
		{"duplicates", func(e *env) { // it joined before, under another name
			joining(e)
			e.o.Ticket.Hosts = append(e.o.Ticket.Hosts, manifest.Host{Name: "old", Address: "192.168.4.12", Role: manifest.Node})
			e.o.Others = nil
		}, preflight.OK, "no duplicates", ""},
		{"duplicates", joining, preflight.OK, "no duplicates among 2 hosts", ""},
	} {
		c.test(t)
	}
	// A list in which the host stands twice fails for the address too.
	e := ready(t)
	e.o.Facts.Interfaces[1].Addresses = append(e.o.Facts.Interfaces[1].Addresses, facts.Address{Prefix: netip.MustParsePrefix("10.0.0.1/24"), Scope: "global"})
	listed("hosts: [{name: a, address: 192.168.4.11, role: master}, {name: b, address: 10.0.0.1, role: master}]")(e)
	if err := preflight.Run(t.Context(), e.h, e.o).Err(); err == nil || !strings.Contains(err.Error(), "cluster: cannot determine which host") {
		t.Errorf("twice in the list: %v", err)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	isolated := func(e *env) { e.o.Facts.Routes = e.o.Facts.Routes[1:]; e.o.Advertise = "192.168.4.11" }
	route := func(prefix string) func(*env) {
		return func(e *env) {
			e.o.Facts.Routes = append(e.o.Facts.Routes, facts.Route{Interface: "eth0", Destination: netip.MustParsePrefix(prefix)})
		}
	}
	for _, c := range []change{
		{"address", func(*env) {}, preflight.OK, "192.168.4.11 on eth0", ""},
		{"address", func(e *env) { isolated(e); e.m.Write(e.t, "/proc/net/ip_vs", "") }, preflight.OK, "192.168.4.11 on eth0", ""},
		{"address", func(e *env) { isolated(e); e.o.Advertise = "" }, preflight.Failed, "no default route", "--advertise-address 192.168.4.11"},
		{"address", func(e *env) {
			e.o.Cluster = manifest.DefaultCluster()
			e.o.Cluster.VIP = &manifest.VIP{Address: "192.168.4.11"}
		}, preflight.Failed, "192.168.4.11 is both the address of this host and the virtual address", "set vip to an address that no host has"},
		{"interface", func(e *env) {
			e.o.Cluster = manifest.DefaultCluster()
			e.o.Cluster.VIP = &manifest.VIP{Address: "192.168.4.100", Interface: "nope0"}
		}, preflight.Failed, "vip.interface in cluster.yaml is nope0", "remove interface from vip"},
		{"address", func(e *env) { e.o.Advertise = "192.168.4.12" }, preflight.Failed, "no interface of this host", "--advertise-address 192.168.4.11"},
		{"reach", joining, preflight.OK, "192.168.4.11", ""},
		{"reach", func(e *env) {
			joining(e)
			e.o.Ticket.Endpoint = "192.168.4.12:6443"
		}, preflight.Failed, "192.168.4.12, which is an address of this host", "./install ticket"},
		{"reach", func(e *env) {
			joining(e)
			e.o.Role = manifest.Master
			e.o.Ticket.Endpoint = "192.168.4.12:6443"
		}, preflight.OK, "route to 192.168.4.12 found", ""},
		{"ticket", func(e *env) {
			joining(e)
			e.o.Ticket, e.o.TicketErr = nil, hint.With(errors.New("the ticket has one fault\nand another"), "./install ticket")
		}, preflight.Failed, "one fault; and another", "./install ticket"},
		{"reach", func(e *env) {
			joining(e)
			isolated(e)
			e.o.Advertise = "192.168.4.12"
			e.o.Ticket.Endpoint = "10.1.1.1:6443"
		}, preflight.Failed, "this host has no route to the control plane at 10.1.1.1", "ip route add ADDRESS via GATEWAY"},
		{"networks", route("10.244.3.0/24"), preflight.Failed, "pod network 10.244.0.0/16 overlaps 10.244.3.0/24, to which this host has a route on eth0", "--pod-cidr 10.245.0.0/16, or podCIDR: 10.245.0.0/16 in cluster.yaml"},
		{"networks", route("10.100.0.0/14"), preflight.Failed, "service network 10.96.0.0/12 overlaps", "serviceCIDR: 172.20.0.0/16"},
		{"networks", func(e *env) { e.o.Cluster = clusterOf(e.t, "podCIDR: 172.17.0.0/16") }, preflight.Failed, "in which this host has 172.17.0.1", "podCIDR: 10.244.0.0/16"},
		{"networks", func(e *env) { e.o.Facts.Nameservers = []string{"10.96.0.53"} }, preflight.Failed, "10.96.0.53, a nameserver of this host", "serviceCIDR"},
		{"networks", func(e *env) {
			joining(e)
			e.o.Others[0].Routes = append(e.o.Others[0].Routes, facts.Route{Interface: "eth1", Destination: netip.MustParsePrefix("10.0.0.0/8")})
		}, preflight.Warning, "10.0.0.0/8, to which master1 has a route on eth1", "172.30.0.0/16"},
		{"networks", func(e *env) {
			joining(e)
			e.o.Ticket.PodCIDR = "192.168.0.0/16"
		}, preflight.Failed, "pod network 192.168.0.0/16 overlaps 192.168.4.0/24", "reinstall the master"},
		{"networks", func(e *env) {
			e.o.Facts.Routes = append(e.o.Facts.Routes, facts.Route{Interface: "eth0", Destination: netip.MustParsePrefix("10.96.0.0/12")})
		}, preflight.OK, "overlap no network", ""},
		{"networks", func(e *env) {
			e.o.Facts.Routes = append(e.o.Facts.Routes, facts.Route{Interface: "eth0", Destination: netip.MustParsePrefix("10.96.0.0/12"), Gateway: netip.MustParseAddr("192.168.4.1")})
		}, preflight.Failed, "has a route on eth0", "--service-cidr"},
	} {
		c.test(t)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	api := func(e *env) { e.m.Write(e.t, "/proc/net/tcp6", tcpHead+apiText) }
	bgp := func(e *env) { e.m.Write(e.t, "/proc/net/tcp", strings.Replace(sshText, ":0016", ":00B3", 1)) }
	holder := func(comm string) func(*env) {
		return func(e *env) {
			api(e)
			e.m.Write(e.t, "/proc/4242/comm", comm+"\n", "/proc/4242/fd/x", "", "/proc/1/comm", "systemd\n")
			if err := os.Symlink("socket:[4711]", e.h.Path("/proc/4242/fd/7")); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	for _, c := range []change{
		{"ports", api, preflight.Failed, "port 6443 (the API server) is in use by another program", "ss -ltnp 'sport = :6443'"},
		{"ports", holder("kube-apiserver"), preflight.Failed, "in use by kube-apiserver (process 4242)", "kubeadm reset"},
		{"ports", holder("java"), preflight.Failed, "in use by java (process 4242)", "systemctl status 4242"},
		{"ports", func(e *env) { joining(e); api(e) }, preflight.OK, "10250", ""},
		{"ports", func(e *env) { api(e); e.o.Ours = true }, preflight.OK, "kubecrate already ran kubeadm", ""},
		{"ports", bgp, preflight.OK, "10250", ""},
		{"ports", func(e *env) { e.o.Manifest.Network = "canal"; bgp(e) }, preflight.OK, "9099", ""},
		{"ports", func(e *env) { meshed(e); bgp(e) }, preflight.Failed, "port 179 (the mesh's routes) is in use by another program", "sport = :179"},
		{"ports", func(e *env) { e.o.Manifest.Network = "calico"; bgp(e) }, preflight.Failed, "port 179 (calico's BGP) is in use by another program", "sport = :179"},
		{"ports", func(e *env) { e.m.Write(e.t, "/proc/net/tcp", strings.Replace(sshText, ":0016", ":7530", 1)) }, preflight.Warning, "port 30000", "sport = :30000"},
		{"ports", func(e *env) { e.m.Write(e.t, "/proc/net/tcp", strings.Replace(sshText, ":0016", ":7FFF", 1)) }, preflight.Warning, "port 32767", "sport = :32767"},
		{"ports", func(e *env) { e.m.Write(e.t, "/proc/net/tcp", strings.Replace(sshText, ":0016", ":8000", 1)) }, preflight.OK, "10250", ""},
		{"ports", func(e *env) { e.m.Write(e.t, "/proc/net/tcp", strings.Replace(sshText, ":0016", ":752F", 1)) }, preflight.OK, "10250", ""},
	} {
		c.test(t)
	}
}

func TestTimeAndRemains(t *testing.T) {
	t.Parallel()
	at := func(text string) func(*env) {
		return func(e *env) {
			now, err := time.Parse(time.RFC3339, text)
			if err != nil {
				e.t.Fatal(err)
			}
			e.o.Facts.Time = now
		}
	}
	both := func(list ...func(*env)) func(*env) {
		return func(e *env) {
			for _, f := range list {
				f(e)
			}
		}
	}
	files := func(names ...string) func(*env) {
		return func(e *env) {
			for _, n := range names {
				e.m.Write(e.t, n, "")
			}
		}
	}
	for _, c := range []change{
		{"clock", at("2001-01-01T00:00:00Z"), preflight.Failed, "this host's clock says 2001-01-01 00:00:00 UTC, but this bundle was built after 2020-01-01", "date -u -s '2020-01-01 00:00:00' && hwclock"},
		{"clock", both(joining, func(e *env) { e.o.Others, e.o.Ticket.Issued = nil, "2020-05-01T11:50:00Z" }, at("2020-05-01T10:50:00Z")), preflight.Failed,
			"the ticket was written at 2020-05-01 11:50:00 UTC: this clock is 1h0m0s behind", "date -u -s 'YEAR-MONTH-DAY"},
		{"clock", both(joining, func(e *env) { e.o.Others, e.o.Ticket.Issued = nil, "2020-05-01T11:50:00Z" }, at("2020-05-01T11:49:30Z")), preflight.OK, "11:49:30", ""},
		{"clock", both(joining, at("2020-05-01T11:55:00Z")), preflight.Warning, "master1 wrote its host report at 2020-05-01 12:00:00 UTC: this clock is 5m0s behind", "date -u -s 'YEAR-MONTH-DAY"},
		{"clock", both(joining, at("2020-05-01T11:59:30Z")), preflight.OK, "11:59:30", ""},
		{"ticket", both(joining, at("2020-05-02T12:00:00Z")), preflight.Failed, "expired at 2020-05-02 11:50:00 UTC, 10m0s ago", "./install ticket"},
		{"ticket", joining, preflight.OK, "expires at 2020-05-02 11:50:00 UTC", ""},
		{"ticket", both(joining, func(e *env) { e.o.Ticket.Expires = "" }), preflight.OK, "does not expire", ""},
		{"ticket", both(joining, func(e *env) { e.o.Ticket.Kubernetes = "v1.18.2" }), preflight.Failed, "the cluster runs Kubernetes v1.18.2, this bundle contains v1.17.4", "--archive"},
		{"earlier", files("/etc/kubernetes/kubelet.conf"), preflight.Failed, "/etc/kubernetes/kubelet.conf exists", "kubeadm reset"},
		{"earlier", files("/etc/kubernetes/manifests/etcd.yaml", "/etc/kubernetes/manifests/.x"), preflight.Failed, "manifests contains etcd.yaml", "kubeadm reset"},
		{"earlier", files("/var/lib/etcd/member/snap/db"), preflight.Failed, "data of an earlier etcd: member", "/var/lib/etcd.before"},
		{"earlier", files("/var/lib/etcd/lost+found/x"), preflight.OK, "no earlier cluster", ""},
		{"earlier", both(joining, files("/var/lib/etcd/member/snap/db")), preflight.OK, "no earlier cluster", ""},
		{"earlier", func(e *env) { e.o.Ours = true; files("/etc/kubernetes/admin.conf")(e) }, preflight.OK, "kubecrate already ran kubeadm", ""},
		{"cni", files("/etc/cni/net.d/05-weave.conflist"), preflight.Failed, "05-weave.conflist sorts before 10-flannel.conflist", "mv /etc/cni/net.d/05-weave.conflist /root/"},
		{"cni", func(e *env) {
			e.o.Manifest.Network = "calico"
			files("/etc/cni/net.d/10-calico.conflist", "/etc/cni/net.d/calico-kubeconfig")(e)
		}, preflight.OK, "sorts first", ""},
		{"cni", func(e *env) {
			e.o.Manifest.Network = "canal"
			files("/etc/cni/net.d/10-calico.conflist")(e)
		}, preflight.Failed, "10-calico.conflist sorts before 10-canal.conflist", "mv /etc/cni/net.d/10-calico.conflist /root/"},
		{"cni", files("/etc/cni/net.d/05-weave.conflist.rpmsave"), preflight.OK, "sorts first", ""},
	} {
		c.test(t)
	}
}

// TestCannotLook: a file that cannot be read is a failure of its check, and the
// others run all the same.
func TestCannotLook(t *testing.T) {
	t.Parallel()
	e := ready(t)
	e.remove("/proc/net/tcp")
	e.m.Write(t, "/proc/net/tcp/x", "")
	e.o.Facts.CPUs = 1
	r := preflight.Run(t.Context(), e.h, e.o)
	failed := r.Of(preflight.Failed)
	if len(failed) != 2 || failed[0].Name != "cpus" || failed[1].Name != "ports" || !strings.Contains(failed[1].Message, "cannot check: ") {
		t.Errorf("%+v", failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := preflight.Run(ctx, e.h, e.o); len(r.Checks) != 0 {
		t.Errorf("after the end: %+v", r.Checks)
	}
}

func TestSkipAndError(t *testing.T) {
	t.Parallel()
	e := ready(t)
	e.o.Facts.CPUs, e.o.Facts.Memory, e.o.Skip = 1, 1<<30, []string{"cpus"}
	r := preflight.Run(t.Context(), e.h, e.o)
	err := r.Err()
	const want = "this host does not meet the requirements of a master, 1 problem:\n  memory: this host has 1024 MiB of memory, a master needs 1700 MiB\n      hint: give the virtual machine 2048 MiB, or use another host"
	var coder cli.ExitCoder
	var failed *preflight.Error
	if err == nil || err.Error() != want || !errors.As(err, &coder) || coder.ExitCode() != cli.ExitPreflight || !errors.As(err, &failed) || len(failed.Failed) != 1 {
		t.Errorf("%v", err)
	}
	if h := hint.Of(err); !strings.Contains(h, "--skip-preflight memory") {
		t.Errorf("hint %q", h)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ok       root        running as root\n", "warning  cpus        this host has 1 CPU, a master needs 2 (skipped)\n",
		"                     hint: give the virtual machine 2048 MiB", "\nmaster: 1 failed, 1 warning, 21 ok\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	out, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(out), `{"name":"cpus","state":"warning","message":"this host has 1 CPU, a master needs 2 (skipped)","hint":`) {
		t.Errorf("%s, %v", out, err)
	}
	if err := preflight.CheckSkip(preflight.Skippable()); err != nil {
		t.Error(err)
	}
	for _, n := range []string{"root", "arch", "systemd"} {
		if err := preflight.CheckSkip([]string{n}); err == nil || !strings.Contains(err.Error(), "cannot be skipped") {
			t.Errorf("%s: %v", n, err)
		}
	}
	if err := preflight.CheckSkip([]string{"cpu"}); err == nil || !strings.Contains(err.Error(), `did you mean "cpus"?`) || !strings.Contains(hint.Of(err), "os, bundle") {
		t.Errorf("%v, %s", err, hint.Of(err))
	}
}

// TestOthersOnlyWarn: whatever the sheets of others say, no check fails for it,
// and no command has a value of theirs.
func TestOthersOnlyWarn(t *testing.T) {
	t.Parallel()
	e := ready(t)
	joining(e)
	before := preflight.Run(t.Context(), e.h, e.o)
	mine := *e.o.Facts
	mine.Time = time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	mine.ProductUUID, mine.MachineID = "another", "one"
	mine.Hostname = e.o.Facts.Hostname
	var pods, services facts.Route
	pods.Interface, pods.Destination = "evil0", netip.MustParsePrefix("10.244.7.0/24")
	services.Interface, services.Destination = "evil0", netip.MustParsePrefix("10.96.7.0/24")
	mine.Routes = []facts.Route{pods, services}
	for range 100 {
		e.o.Others = append(e.o.Others, &mine)
	}
	r := preflight.Run(t.Context(), e.h, e.o)
	if len(r.Of(preflight.Failed)) != len(before.Of(preflight.Failed)) {
		t.Errorf("it fails: %+v", r.Of(preflight.Failed))
	}
	if n := len(r.Of(preflight.Warning)) - len(before.Of(preflight.Warning)); n < 4 || n > 20 {
		t.Errorf("%d warnings more: %+v", n, r.Of(preflight.Warning))
	}
	for _, c := range r.Checks {
		for _, value := range []string{"2099", "10.244.7", "10.96.7", "evil0"} {
			if strings.Contains(c.Hint, value) {
				t.Errorf("%s: the hint %q has %q of a sheet", c.Name, c.Hint, value)
			}
		}
	}
}

// TestNetworksUnknown: networks that no ticket told are not said to be fine.
func TestNetworksUnknown(t *testing.T) {
	t.Parallel()
	e := ready(t)
	joining(e)
	e.o.Ticket, e.o.TicketErr = nil, errors.New("it is not valid")
	for _, c := range preflight.Run(t.Context(), e.h, e.o).Checks {
		if c.Name == "networks" && (c.State != preflight.Warning || !strings.Contains(c.Message, "not known without the cluster's ticket")) {
			t.Errorf("%+v", c)
		}
	}
}
