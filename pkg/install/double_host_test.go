package install

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/identity"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/progress"
)

var errKilled = errors.New("killed")

// lab is an isolated network: hosts, the cluster that they become, and a stick.
type lab struct {
	t       *testing.T
	api     *api
	runtime string
	stick   string
	archive string
	tables  Tables // that verbs are given
}

func newLab(t *testing.T, runtime string) *lab {
	t.Helper()
	l := &lab{t: t, api: newAPI(t), runtime: runtime, stick: t.TempDir()}
	l.archive = writeBundle(t, l.stick, runtime)
	return l
}

// machine is a host of the lab: a bare CentOS 7 with a firewall, swap and
// SELinux, and the programs of the bundle's packages once these are installed.
type machine struct {
	l          *lab
	h          *host.Host
	m          *hosttest.Machine
	rpm        *hosttest.RPM
	images     func() string
	name       string
	address    string
	dieAt      string // the beginning of a command line at which the installer is killed
	said       []progress.Event
	configured []string // what kubeadm was given by --config
}

// unitsOf are the units that come with a package.
func unitsOf() map[string]string {
	return map[string]string{"docker-ce": "docker.service", "containerd.io": "containerd.service", "kubelet": "kubelet.service", "chrony": "chronyd.service", "keepalived": "keepalived.service"}
}

func (l *lab) host(name, address string) *machine {
	l.t.Helper()
	h, m := hosttest.New(l.t)
	x := &machine{l: l, h: h, m: m, name: name, address: address}
	last := address[strings.LastIndexByte(address, '.')+1:]
	m.Write(l.t,
		"/etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", "/etc/os-release", "ID=\"centos\"\nVERSION_ID=\"7\"\n",
		"/run/systemd/system/x", "", "/proc/self/mountinfo", hosttest.MountInfo("/dev/sda1 / xfs rw 0 0\ncgroup /sys/fs/cgroup/systemd cgroup rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"),
		"/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t1\t1\t1\ncpuacct\t1\t1\t1\nmemory\t4\t1\t1\ndevices\t5\t1\t1\nfreezer\t6\t1\t1\n",
		"/proc/net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", "/proc/net/tcp6", "  sl\n",
		"/proc/net/route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t0004A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		"/proc/filesystems", "nodev\tsysfs\n\txfs\n", "/proc/meminfo", "MemTotal: 3882432 kB\n", "/proc/cpuinfo", "processor : 0\nprocessor : 1\n",
		"/proc/swaps", "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/dm-1 partition\t2097148\t0\t-2\n",
		"/proc/sys/kernel/hostname", name+"\n", "/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n",
		"/proc/sys/kernel/random/boot_id", "boot-"+last+"\n", "/proc/sys/net/ipv4/ip_forward", "0\n", "/proc/sys/vm/swappiness", "30\n", "/proc/net/ip_vs", "",
		"/sys/devices/system/cpu/online", "0-1\n", "/sys/class/dmi/id/product_uuid", "4C4C4544-0050-4A10-8052-B4C04F5032"+last+"\n",
		"/sys/class/net/eth0/address", "52:54:00:00:00:"+last+"\n", "/sys/class/net/eth0/operstate", "up\n", "/sys/class/net/lo/address", "00:00:00:00:00:00\n",
		"/etc/machine-id", strings.Repeat("a", 30)+last+"\n", "/etc/hostname", name+"\n", "/etc/hosts", "127.0.0.1 localhost\n",
		"/etc/fstab", "/dev/sda1 / xfs defaults 0 0\n/dev/mapper/centos-swap swap swap defaults 0 0\n", "/etc/selinux/config", "SELINUX=enforcing\n",
		"/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n", "/root/.bashrc", "", "/etc/chrony.conf", "server 0.centos.pool.ntp.org iburst\n",
		"/etc/yum.repos.d/CentOS-Base.repo", "[base]\nname=base\n", "/run/rules", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
	for _, p := range []string{"ip", "iptables", "modprobe", "mount", "nsenter", "rpm", "sysctl", "tc"} {
		m.Write(l.t, "/usr/sbin/"+p, "")
	}
	m.Units["firewalld.service"] = &hosttest.Unit{Enabled: true, Active: true}
	m.Units["dev-dm\\x2d1.swap"] = &hosttest.Unit{Active: true, NoFile: true}
	m.Modules = map[string]bool{"br_netfilter": false, "overlay": false, "ip_vs": false, "ip_vs_rr": false, "ip_vs_wrr": false, "ip_vs_sh": false, "nf_conntrack_ipv4": false}
	m.Enforce = "Enforcing"
	x.programs()
	return x
}

func (x *machine) programs() {
	m := x.m
	x.rpm = m.RPM(x.l.t, "bash-4.2.46-34.el7.x86_64", "iptables-1.4.21-35.el7.x86_64")
	if x.l.runtime == manifest.RuntimeContainerd {
		x.images = hosttest.NewContainerd(m).State
	} else {
		x.images = hosttest.NewDocker(m).State
	}
	for _, name := range []string{"yum", "rpm"} {
		inner := m.Programs[name]
		m.Programs[name] = func(args []string, stdin string) (string, error) {
			out, err := inner(args, stdin)
			x.installed()
			return out, err
		}
	}
	for name, p := range map[string]hosttest.Program{"kubeadm": x.kubeadm, "kubectl": x.l.api.kubectl(func(p string) string { return m.Read(x.l.t, p) })} {
		m.Programs[name] = func(args []string, stdin string) (string, error) {
			if !slices.ContainsFunc(x.rpm.Installed(), func(id string) bool { return strings.HasPrefix(id, name+"-") }) {
				return "", fmt.Errorf("%w: %s", errMissing, name)
			}
			return p(args, stdin)
		}
	}
	says := func(text string) hosttest.Program { return func([]string, string) (string, error) { return text, nil } }
	m.Programs["uname"] = says("x86_64\n")
	m.Programs["ipset"] = says("")
	m.Programs["ipvsadm"] = says("")
	m.Programs["ip6tables-save"] = says("")
	m.Programs["iptables-save"] = func([]string, string) (string, error) { return m.Read(x.l.t, "/run/rules"), nil }
	m.Programs["iptables-restore"] = func(_ []string, stdin string) (string, error) {
		m.Write(x.l.t, "/run/rules", stdin)
		return "", nil
	}
	m.Programs["ip"] = x.ip
	m.Programs["install"] = func(args []string, _ string) (string, error) {
		return "", os.MkdirAll(x.h.Path(args[len(args)-1]), 0o750)
	}
	m.Programs["chown"] = says("")
	m.Programs["find"] = func(args []string, _ string) (string, error) {
		_ = os.Remove(x.h.Path(args[0] + "/.kube")) // if it is empty
		return "", nil
	}
	x.units()
	m.OnCall = func(line string) error {
		if x.dieAt != "" && strings.HasPrefix(line, x.dieAt) {
			x.dieAt = ""
			return errKilled
		}
		return nil
	}
}

// errMissing is what the runner of a machine says of a program it does not have.
var errMissing = missing()

func missing() error {
	_, err := (&hosttest.Machine{}).Builtin("getenforce")(nil, "")
	return errors.Unwrap(err)
}

// installed brings and takes what packages hold.
func (x *machine) installed() {
	have := map[string]bool{}
	for _, id := range x.rpm.Installed() {
		for name := range unitsOf() {
			have[name] = have[name] || regexp.MustCompile(`^`+regexp.QuoteMeta(name)+`-[0-9]`).MatchString(id)
		}
	}
	for name, unit := range unitsOf() {
		switch _, known := x.m.Units[unit]; {
		case have[name] && !known:
			x.m.Units[unit] = &hosttest.Unit{}
		case !have[name]:
			delete(x.m.Units, unit)
		}
	}
}

func (x *machine) ip(args []string, _ string) (string, error) {
	line := strings.Join(args, " ")
	switch {
	case strings.Contains(line, "address") || strings.Contains(line, "addr"):
		if strings.Contains(line, "dev") {
			return "", nil
		}
		return "1: lo    inet 127.0.0.1/8 scope host lo\\\n2: eth0    inet " + x.address + "/24 brd 192.168.4.255 scope global eth0\\\n", nil
	case args[0] == "link" && args[1] == "delete":
		return "", os.RemoveAll(x.h.Path("/sys/class/net/" + args[2]))
	case strings.Contains(line, "route show"):
		if u := x.m.Units["kubecrate-route.service"]; u != nil && u.Active && strings.Contains(line, "10.96.0.0/12") {
			return "10.96.0.0/12 scope link\n", nil
		}
	}
	return "", nil
}

// media is the lab's stick, put into the host.
func (x *machine) media() Media {
	x.plug()
	return Media{Archive: x.l.archive}
}

func (x *machine) caller() Caller {
	return Caller{Dialer: x.l.api, Tables: x.l.tables, Report: func(e progress.Event) { x.said = append(x.said, e) }}
}

// The requests are those of an operator who says the role at most.

func (x *machine) runRequest(role manifest.Role) RunRequest {
	return RunRequest{Media: x.media(), Caller: x.caller(), Host: target.Request{Role: role, Address: x.address}}
}

func (x *machine) planRequest(role manifest.Role) PlanRequest {
	return PlanRequest{Media: x.media(), Caller: x.caller(), Host: target.Request{Role: role, Address: x.address}}
}

func (x *machine) loadRequest(role manifest.Role) LoadRequest {
	return LoadRequest{Media: x.media(), Caller: x.caller(), Host: target.Request{Role: role}}
}

func (x *machine) statusRequest() StatusRequest {
	return StatusRequest{Media: x.media(), Caller: x.caller()}
}

func (x *machine) smokeRequest() SmokeRequest {
	return SmokeRequest{Media: x.media(), Caller: x.caller()}
}

func (x *machine) resetRequest(keepPackages bool) ResetRequest {
	return ResetRequest{Media: x.media(), Caller: x.caller(), KeepPackages: keepPackages}
}

func (x *machine) run(role manifest.Role, change ...func(*RunRequest)) (*Result, error) {
	o := x.runRequest(role)
	for _, f := range change {
		f(&o)
	}
	r, err := Run(x.l.t.Context(), x.h, o)
	x.carry()
	return r, err
}

// carry takes what the host left on the stick, which lies below its root, to the
// other hosts.
func (x *machine) carry() {
	from := x.h.Path(x.l.stick)
	if _, err := os.Stat(from); err != nil {
		return
	}
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(x.l.stick, strings.TrimPrefix(path, from))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
	if err := errors.Join(err, os.RemoveAll(from)); err != nil {
		x.l.t.Error(err)
	}
}

// plug gives the host what the stick holds beside the archive.
func (x *machine) plug() {
	text, err := os.ReadFile(filepath.Join(x.l.stick, ticketName))
	if err == nil {
		x.m.Write(x.l.t, filepath.Join(x.l.stick, ticketName), string(text))
	}
	if err := os.MkdirAll(x.h.Path(x.l.stick), 0o755); err != nil {
		x.l.t.Error(err)
	}
}

// units that a step writes come to systemd with their files.
func (x *machine) units() {
	inner := x.m.Programs["systemctl"]
	if inner == nil {
		inner = x.m.Builtin("systemctl")
	}
	x.m.Programs["systemctl"] = func(args []string, stdin string) (string, error) {
		if args[0] == "daemon-reload" {
			const unit = "kubecrate-route.service"
			_, err := os.Stat(x.h.Path("/etc/systemd/system/" + unit))
			switch _, known := x.m.Units[unit]; {
			case err == nil && !known:
				x.m.Units[unit] = &hosttest.Unit{}
			case err != nil:
				delete(x.m.Units, unit)
			}
		}
		return inner(args, stdin)
	}
}

// state is everything that an installation may change of a host.
// Modules stay loaded, and the lock's file stays.
func (x *machine) state() string {
	var out strings.Builder
	for line := range strings.Lines(x.m.State(x.l.t) + x.images()) {
		if !regexp.MustCompile(`^(module |/sys/module/|/proc/sys/net/bridge/|/run/kubecrate|` + regexp.QuoteMeta(x.l.stick) + `)`).MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// warnings are what was said and is no progress.
func (x *machine) warnings() []string {
	var list []string
	for _, e := range x.said {
		if e.Kind == progress.Warn || e.Kind == progress.Note || e.Kind == progress.Failed {
			list = append(list, fmt.Sprintf("%s %s: %s", e.Kind, e.Task, e.Text))
		}
	}
	return list
}

// kubeadm does to the host and to the cluster what the real one does.
func (x *machine) kubeadm(args []string, _ string) (string, error) {
	line := strings.Join(args, " ")
	a := x.l.api
	switch {
	case strings.HasPrefix(line, "config images list"):
		return strings.Join(append(controlPlane(), "k8s.gcr.io/kube-proxy:v1.17.4", "k8s.gcr.io/pause:3.1"), "\n") + "\n", nil
	case strings.HasPrefix(line, "init phase upload-certs"):
		a.put("secrets/kube-system/kubeadm-certs", object{"kind": "Secret"})
		return "", nil
	case args[0] == "init":
		return "", x.init(x.config(args))
	case args[0] == "join":
		return "", x.join(x.config(args))
	case args[0] == "reset":
		return "", x.reset(line)
	case strings.HasPrefix(line, "token create"):
		config := x.config(args)
		return x.token(config), nil
	case strings.HasPrefix(line, "token delete"):
		a.drop("secrets/kube-system/bootstrap-token-" + args[2])
		return "", nil
	}
	return "", &hosttest.Exit{Code: 1, Stderr: "unknown command " + line}
}

func (x *machine) config(args []string) string {
	at := slices.Index(args, "--config")
	if at < 0 {
		x.l.t.Errorf("no --config in %v", args)
		return ""
	}
	text := x.m.Read(x.l.t, args[at+1])
	x.configured = append(x.configured, text)
	return text
}

func field(config, key string) string {
	m := regexp.MustCompile(`(?m)^[ -]*` + key + `: *"?([^"\n]*)"?$`).FindStringSubmatch(config)
	if m == nil {
		return ""
	}
	return m[1]
}

func (x *machine) token(config string) string {
	token := field(config, "token")
	x.l.api.token(token, field(config, "ttl"), field(config, "description"))
	return token + "\n"
}

func (x *machine) init(config string) error {
	t, a := x.l.t, x.l.api
	if ca := x.m.Read(t, "/etc/kubernetes/pki/ca.crt"); ca != "" { // it was given
		a.certify([]byte(ca), []byte(x.m.Read(t, "/etc/kubernetes/pki/ca.key")))
	}
	for file, text := range map[string]string{"ca.crt": string(a.ca), "ca.key": string(a.key), "etcd/ca.crt": "x"} {
		if x.m.Read(t, "/etc/kubernetes/pki/"+file) == "" {
			x.m.Write(t, "/etc/kubernetes/pki/"+file, text)
		}
	}
	a.up = true
	x.control()
	for _, id := range []string{"configmaps/kube-system/kubeadm-config", "configmaps/kube-public/cluster-info", "deployments/kube-system/coredns", "daemonsets/kube-system/kube-proxy",
		"clusterrolebindings//kubeadm:node-proxier", "rolebindings/kube-system/kube-proxy"} {
		a.put(id, object{})
	}
	a.put("configmaps/kube-system/coredns", object{"kind": "ConfigMap", "data": object{"Corefile": ".:53 {\n    forward . /etc/resolv.conf\n}\n"}})
	a.put("services/default/kubernetes", object{"kind": "Service", "spec": object{"clusterIP": "10.96.0.1"}})
	a.put("pods/kube-system/coredns-1", podOf(x.name, "10.244.0.2", "kube-dns", false))
	if field(config, "token") != "" {
		x.token(config)
	}
	return nil
}

// control is what a master has and a node has not.
func (x *machine) control() {
	conf := x.l.api.kubeconfig(x.address + ":6443")
	x.m.Write(x.l.t, "/etc/kubernetes/pki/apiserver.crt", "x", "/etc/kubernetes/pki/etcd/server.crt", "x", "/etc/kubernetes/admin.conf", conf, "/var/lib/etcd/member/wal/0", "x")
	for _, pod := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
		x.m.Write(x.l.t, "/etc/kubernetes/manifests/"+pod+".yaml", "x")
	}
	x.node(true)
}

func (x *machine) node(master bool) {
	x.m.Write(x.l.t, "/etc/kubernetes/kubelet.conf", x.l.api.kubeconfig("192.168.4.11:6443"), "/var/lib/kubelet/config.yaml", "x", "/var/lib/kubelet/kubeadm-flags.env", "x",
		"/sys/class/net/cni0/address", "x", "/sys/class/net/flannel.1/address", "x", "/sys/class/net/kube-ipvs0/address", "x",
		"/etc/cni/net.d/10-flannel.conflist", "{}", "/run/flannel/subnet.env", "x",
		"/run/rules", "*filter\n:INPUT ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\n[0:0] -A INPUT -j KUBE-FIREWALL\nCOMMIT\n")
	x.m.Units["kubelet.service"].Active = true
	x.l.api.node(x.name, x.address, master)
}

func (x *machine) join(config string) error {
	a := x.l.api
	id, _, _ := strings.Cut(field(config, "token"), ".")
	if !a.up || !a.has("secrets/kube-system/bootstrap-token-"+id) {
		return &hosttest.Exit{Code: 1, Stderr: "error execution phase preflight: couldn't validate the identity of the API Server"}
	}
	x.m.Write(x.l.t, "/etc/kubernetes/pki/ca.crt", string(a.ca))
	if strings.Contains(config, "controlPlane:") {
		x.control()
		return nil
	}
	x.node(false)
	return nil
}

// reset is kubeadm reset -f, which leaves the CNI's configuration, rules and links.
func (x *machine) reset(line string) error {
	x.m.Units["kubelet.service"].Active = false
	a := x.l.api
	a.drop("pods/kube-system/kube-proxy-" + x.name)
	if x.m.Read(x.l.t, "/etc/kubernetes/admin.conf") != "" && len(a.ids("nodes//")) == 1 {
		a.up, a.objects = false, map[string]object{}
	}
	dirs := []string{"/etc/kubernetes/manifests", "/var/lib/etcd", "/var/lib/kubelet"}
	if !strings.Contains(line, "--cert-dir") {
		dirs = append(dirs, "/etc/kubernetes/pki")
	}
	for _, d := range dirs {
		if err := os.RemoveAll(x.h.Path(d)); err != nil {
			return err
		}
	}
	for _, f := range []string{"admin.conf", "kubelet.conf", "bootstrap-kubelet.conf", "controller-manager.conf", "scheduler.conf"} {
		_ = os.Remove(x.h.Path(path.Join("/etc/kubernetes", f)))
	}
	return nil
}

// identity puts the identity of a cluster, by its cluster.yaml, on the stick.
func (l *lab) identity(text string) *identity.Identity {
	l.t.Helper()
	c, err := manifest.ParseCluster("cluster.yaml", []byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	id, err := identity.New(c, identity.Options{Now: time.Now(), Bits: 1024})
	if err != nil {
		l.t.Fatal(err)
	}
	sealed, err := id.Seal([]byte(password), 4)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := id.Write(identity.Place{Dir: l.stick}, c, sealed); err != nil {
		l.t.Fatal(err)
	}
	return id
}

func (l *lab) onStick(name string) string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.stick, name))
	if err != nil && !os.IsNotExist(err) {
		l.t.Fatal(err)
	}
	return string(text)
}
