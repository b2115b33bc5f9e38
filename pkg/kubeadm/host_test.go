package kubeadm

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/netfilter"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

func TestKubelet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.m.Units, "kubelet.service")
	if st := w.check(Kubelet()); st.State != step.ToDo || !strings.Contains(st.What[0], "once kubelet is installed") {
		t.Errorf("not installed: %+v", st)
	}
	w.h.Software = family(t, "el8")
	if err := w.run(Kubelet()); err == nil || !strings.Contains(hint.Of(err), "dnf --disablerepo='*' --enablerepo=kubecrate install kubelet kubeadm kubectl") {
		t.Errorf("still not installed: %v (hint %q)", err, hint.Of(err))
	}
	w.m.Units["kubelet.service"] = &hosttest.Unit{}
	remove(w, "/etc/resolv.conf")
	if err := os.Symlink("../run/nowhere/resolv.conf", w.h.Path("/etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	before := w.m.State(t)
	if st := w.check(Kubelet()); st.State != step.ToDo || len(st.What) != 2 || !strings.Contains(st.What[1], "a link to the missing ../run/nowhere/resolv.conf") {
		t.Errorf("to do: %+v", st)
	}
	if err := w.run(Kubelet()); err != nil {
		t.Fatal(err)
	}
	if u := w.m.Units["kubelet.service"]; !u.Enabled || u.Active || !strings.Contains(w.m.Read(t, "/etc/resolv.conf"), "no nameserver") {
		t.Errorf("%+v", u)
	}
	if err := w.run(Kubelet()); err != nil || w.called("systemctl enable") != 1 {
		t.Errorf("run again: %v, %v", err, w.m.Calls())
	}
	if err := w.undo(Kubelet()); err != nil || w.m.State(t) != before {
		t.Errorf("undone: %v\n%s\nwant\n%s", err, w.m.State(t), before)
	}
	w.m.Units["kubelet.service"].Masked = true
	if err := w.run(Kubelet()); err != nil || w.m.Units["kubelet.service"].Masked {
		t.Errorf("masked: %v", err)
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Programs["install"] = func(args []string, _ string) (string, error) {
		return "", os.MkdirAll(w.h.Path(args[len(args)-1]), 0o750)
	}
	w.m.Programs["find"] = func(args []string, _ string) (string, error) {
		_ = os.Remove(w.h.Path(args[0] + "/.kube")) // if it is empty
		return "", nil
	}
	s := Kubeconfig(User{Name: "op", UID: 1000, GID: 1000}, User{Name: "root"})
	if err := w.run(s); err == nil {
		t.Error("without an admin.conf")
	}
	made(w)
	before := w.m.State(t)
	if st := w.check(s); st.State != step.ToDo || len(st.What) != 2 {
		t.Errorf("%+v", st)
	}
	if os.Geteuid() != 0 {
		t.Skip("giving a file away needs root")
	}
	if err := w.run(s); err != nil {
		t.Fatal(err)
	}
	uids := map[string]uint32{}
	for _, path := range []string{"/root/.kube/config", "/home/op/.kube/config"} {
		info, err := os.Stat(w.h.Path(path))
		if err != nil || info.Mode().Perm() != 0o600 || w.m.Read(t, path) != w.kubeconfig() {
			t.Errorf("%s: %v, %v", path, info, err)
			continue
		}
		uids[path] = info.Sys().(*syscall.Stat_t).Uid
	}
	if uids["/home/op/.kube/config"] != 1000 || uids["/root/.kube/config"] != 0 {
		t.Errorf("owners %v", uids)
	}
	if err := os.Chown(w.h.Path("/home/op/.kube/config"), 0, 0); err != nil {
		t.Fatal(err)
	}
	if st := w.check(s); st.State != step.ToDo || !strings.Contains(st.What[0], "change the owner of /home/op/.kube/config to op") {
		t.Errorf("killed before it was given away: %+v", st)
	}
	if err := w.run(s); err != nil || w.check(s).State != step.Done {
		t.Error(err)
	}
	w.m.Write(t, "/home/op/.kube/cache/discovery/x", "")
	if err := w.undo(Kubeconfig()); err != nil || w.m.State(t) != before {
		t.Errorf("undone: %v\n%s\nwant\n%s", err, w.m.State(t), before)
	}
}

// TestKubeconfigElsewhere: a user's links lead root nowhere, neither when the
// kubeconfig is written nor when it is taken back.
func TestKubeconfigElsewhere(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("giving a file away needs root")
	}
	s := kubeconfigStep{users: []User{{Name: "op", UID: 1000, GID: 1000}}}
	for what, lay := range map[string]func(home, victim string) error{
		"a link for the directory": func(home, victim string) error { return os.Symlink(victim, home+"/.kube") },
		"a link for the file": func(home, victim string) error {
			return errors.Join(os.Mkdir(home+"/.kube", 0o755), os.Symlink(victim+"/config", home+"/.kube/config"))
		},
		"a link to nothing": func(home, victim string) error {
			return errors.Join(os.Mkdir(home+"/.kube", 0o755), os.Symlink(victim+"/none", home+"/.kube/config"))
		},
		"a pipe": func(home, _ string) error {
			return errors.Join(os.Mkdir(home+"/.kube", 0o755), syscall.Mkfifo(home+"/.kube/config", 0o644))
		},
	} {
		w := newWorld(t)
		made(w)
		victim := t.TempDir()
		if err := errors.Join(os.WriteFile(victim+"/config", []byte("root's"), 0o600), os.MkdirAll(victim+"/cache", 0o755), lay(w.h.Path("/home/op"), victim)); err != nil {
			t.Fatal(err)
		}
		if st := w.check(s); st.State != step.Done || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "op gets no kubeconfig: ") {
			t.Errorf("%s: %+v", what, st)
		}
		if err := w.run(s); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		// It was given one before, and has exchanged it since.
		text := `[{"home":"/home/op","sha256":"` + hashOf([]byte("root's")) + `","madeDir":true}]`
		w.m.Write(t, givenFile, text)
		var said []string
		w.hear = func(e progress.Event) { said = append(said, e.Text) }
		if err := w.undo(Kubeconfig()); err != nil || len(said) != 1 || !strings.Contains(said[0], "/home/op/.kube") {
			t.Errorf("%s, undone: %v, said %q", what, err, said)
		}
		entries, err := os.ReadDir(victim)
		config, cerr := os.ReadFile(victim + "/config")
		if err != nil || cerr != nil || len(entries) != 2 || string(config) != "root's" {
			t.Errorf("%s: behind the link are %v, %q, %v, %v", what, entries, config, err, cerr)
		}
	}
}

// TestKubeconfigObstacle: a link of root's that leads nowhere is told with what removes it.
func TestKubeconfigObstacle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	if err := errors.Join(os.MkdirAll(w.h.Path("/root"), 0o700), os.Symlink("/nowhere", w.h.Path("/root/.kube"))); err != nil {
		t.Fatal(err)
	}
	if st := w.check(Kubeconfig()); st.State != step.Impossible || !strings.Contains(st.What[0], "/root/.kube") || !strings.Contains(st.Hint, "/root/.kube") {
		t.Errorf("%+v", st)
	}
}

// TestKubeconfigKept: what a person has stays, and they are told.
func TestKubeconfigKept(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	made(w)
	w.m.Write(t, "/root/.kube/config", other.kubeconfig())
	st := w.check(Kubeconfig())
	if st.State != step.Done || len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "export KUBECONFIG=/etc/kubernetes/admin.conf") {
		t.Errorf("%+v", st)
	}
	w.m.Write(t, "/root/.kube/config", w.kubeconfig()+"current-context: mine\n")
	if st := w.check(Kubeconfig()); st.State != step.Done || len(st.Warnings) != 0 {
		t.Errorf("the same cluster: %+v", st)
	}
	st = w.check(Kubeconfig(User{Name: "ldap", UID: 70000}))
	if len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "ldap has no home directory") {
		t.Errorf("%+v", st)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := Ready(options())
	if st := w.check(s); st.State != step.ToDo || len(w.m.Calls()) != 0 {
		t.Errorf("before there is a cluster: %+v", st)
	}
	made(w)
	if st := w.check(s); st.State != step.Done {
		t.Errorf("%+v", st)
	}
	w.objects["/api/v1/nodes/master1"] = `{"status":{"conditions":[{"type":"Ready","status":"False","message":"cni config uninitialized"}]}}`
	if st := w.check(s); st.State != step.ToDo || !strings.Contains(st.What[0], "cni config uninitialized") {
		t.Errorf("%+v", st)
	}
	err := w.run(s)
	if err == nil || !strings.Contains(err.Error(), "did not become Ready within 50ms: cni config") || !strings.Contains(hint.Of(err), "journalctl -u kubelet") {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	asked := 0
	w.m.OnCall = func(string) error {
		if asked++; asked == 3 {
			w.objects["/api/v1/nodes/master1"] = readyNode
		}
		return nil
	}
	if err := w.run(s); err != nil {
		t.Error(err)
	}
	w.m.OnCall = nil
	w.up = false
	if st := w.check(s); st.State != step.ToDo || !strings.Contains(st.What[0], "was refused") {
		t.Errorf("%+v", st)
	}
	remove(w, AdminConf)
	w.up = true
	if st := w.check(s); st.State != step.Done || w.called("kubectl --kubeconfig=/etc/kubernetes/kubelet.conf --request-timeout=10s get --raw /api/v1/nodes/") != 1 {
		t.Errorf("as a node: %+v", st)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	pods := netip.MustParsePrefix("10.244.0.0/16")
	got, changed := withoutCluster(kubeRules, pods)
	if !changed || got != userRules {
		t.Errorf("changed %v:\n%s\nwant\n%s", changed, got, userRules)
	}
	if got, changed := withoutCluster(userRules, pods); changed || got != userRules {
		t.Errorf("another's rules:\n%s", got)
	}
	if got, _ := withoutCluster(kubeRules, netip.Prefix{}); !strings.Contains(got, "-s 10.244.0.0/16 -j ACCEPT") || strings.Contains(got, "KUBE-FIREWALL") {
		t.Errorf("without a pod network:\n%s", got)
	}
}

// TestCalicoRules: felix puts rules of its own into the chain FORWARD, too.
func TestCalicoRules(t *testing.T) {
	t.Parallel()
	const calicos = `:cali-FORWARD - [0:0]
[5:300] -A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
[5:300] -A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT
[0:0] -A FORWARD -m comment --comment cali:mp77cMpurHhyjLrM -j MARK --set-xmark 0x10000/0x10000
[0:0] -A cali-FORWARD -m comment --comment "cali:vjrMJCRpqwy5oRoX" -j MARK --set-xmark 0x0/0xe0000
`
	with := strings.Replace(userRules, "COMMIT\n", calicos+"COMMIT\n", 1)
	if got, changed := withoutCluster(with, netip.MustParsePrefix("10.244.0.0/16")); !changed || got != userRules {
		t.Errorf("changed %v:\n%s\nwant\n%s", changed, got, userRules)
	}
	const mine = "[0:0] -A FORWARD -m comment --comment \"as cali: said\" -j ACCEPT\n"
	if got, changed := withoutCluster(mine, netip.Prefix{}); changed || got != mine {
		t.Errorf("another's rule: %s", got)
	}
}

func FuzzWithoutCluster(f *testing.F) {
	f.Add(kubeRules, "10.244.0.0/16")
	f.Fuzz(func(t *testing.T, saved, cidr string) {
		pods, err := netip.ParsePrefix(cidr)
		if err != nil {
			pods = netip.Prefix{}
		}
		kept, changed := withoutCluster(saved, pods)
		if again, more := withoutCluster(kept, pods); more || again != kept || !changed && kept != saved {
			t.Errorf("not stable:\n%s", again)
		}
	})
}

// TestLinks: what hangs in the kernel goes, of others nothing.
func TestLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.m.Write(t, "/sys/class/net/eth0/address", "", "/sys/class/net/docker0/address", "")
	sets := "mine\nKUBE-CLUSTER-IP\ncali40s:x\n"
	w.m.Programs["ipset"] = func(args []string, _ string) (string, error) { return sets, nil }
	w.m.Programs["ipvsadm"] = func([]string, string) (string, error) { return "", nil }
	w.m.Programs["ip6tables-save"] = func([]string, string) (string, error) { return "", nil }
	made(w)
	w.m.Write(t, "/sys/class/net/flannel.1/address", "", "/sys/class/net/cali123/address", "")
	if err := w.undo(Init(Options{})); err != nil {
		t.Fatal(err)
	}
	names, err := w.h.ReadDir("/sys/class/net")
	if err != nil || strings.Join(names, " ") != "docker0 eth0" {
		t.Errorf("links %v, %v", names, err)
	}
	for line, want := range map[string]int{"ipvsadm --clear": 1, "ipset destroy": 2, "ipset destroy mine": 0, "iptables-restore -c": 1, "ip6tables-restore": 0} {
		if got := w.called(line); got != want {
			t.Errorf("%s: %d calls", line, got)
		}
	}
	if names, err := w.h.ReadDir(cniDir); err != nil || strings.Join(names, " ") != "87-podman-bridge.conflist" {
		t.Errorf("%s holds %v, %v", cniDir, names, err)
	}
}

// TestCalicoLeft: what calico's pods put on the host goes, and of the address on
// the tunnel's link the one they gave it.
func TestCalicoLeft(t *testing.T) {
	t.Parallel()
	const agents = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds"
	for name, others := range map[string]string{"alone": "", "beside another": "4: tunl0 inet 10.99.0.1/32 scope global tunl0\n"} {
		w := newWorld(t)
		w.m.Write(t, cni.PluginDir+"/portmap", "")
		addresses := "4: tunl0    inet 10.244.137.64/32 scope global tunl0\n"
		link := w.m.Programs["ip"]
		w.m.Programs["ip"] = func(args []string, stdin string) (string, error) {
			switch strings.Join(args, " ") {
			case "-o -4 address show dev tunl0 to 10.244.0.0/16":
				return addresses, nil
			case "-o address show dev tunl0":
				return addresses + others, nil
			case "address flush dev tunl0 to 10.244.0.0/16":
				addresses = ""
				return "", nil
			case "link set tunl0 down":
				return "", nil
			}
			return link(args, stdin)
		}
		sets := "mine\ncali40s:x\ncali60s:x\ncalibre\n"
		w.m.Programs["ipset"] = func([]string, string) (string, error) { return sets, nil }
		w.m.Programs["ipvsadm"] = func([]string, string) (string, error) { return "", nil }
		made(w)
		w.m.Write(t, "/sys/class/net/tunl0/address", "", "/sys/class/net/vxlan.calico/address", "", "/sys/class/net/cali0/address", "",
			"/var/lib/calico/nodename", "x", "/run/calico/bird.ctl", "", "/run/nodeagent/x", "", agents+"/uds", "",
			cniDir+"/10-calico.conflist", "{}", cniDir+"/calico-kubeconfig", "{}", cni.PluginDir+"/calico", "", cni.PluginDir+"/calico-ipam", "", cni.PluginDir+"/my-plugin", "")
		if err := w.undo(Init(Options{})); err != nil {
			t.Fatal(err)
		}
		for dir, want := range map[string]string{
			"/sys/class/net": "tunl0", "/var/lib/calico": "", "/run/calico": "", "/run/nodeagent": "", agents: "",
			cniDir: "87-podman-bridge.conflist", cni.PluginDir: "my-plugin portmap",
		} {
			if names, err := w.h.ReadDir(dir); err != nil || strings.Join(names, " ") != want {
				t.Errorf("%s: %s holds %v, want %s (%v)", name, dir, names, want, err)
			}
		}
		down := 1
		if others != "" {
			down = 0
		}
		for line, want := range map[string]int{"ip address flush": 1, "ip link set tunl0 down": down, "ip link delete tunl0": 0,
			"ipset destroy cali40s:x": 1, "ipset destroy cali60s:x": 1, "ipset destroy mine": 0, "ipset destroy calibre": 0} {
			if got := w.called(line); got != want {
				t.Errorf("%s: %s: %d calls, want %d", name, line, got, want)
			}
		}
	}
}

// TestMounts: what the kubelet mounted is out of the way before anything is
// removed, or else nothing is.
func TestMounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made(w)
	mounts := map[string]string{"/": "/dev/sda1", "/var/lib/kubelet": "/dev/sdb1"}
	write := func() {
		var b strings.Builder
		for _, at := range slices.Sorted(maps.Keys(mounts)) {
			b.WriteString(mounts[at] + " " + strings.ReplaceAll(at, " ", `\040`) + " ext4 rw 0 0\n")
		}
		w.m.Write(t, "/proc/self/mountinfo", hosttest.MountInfo(b.String()))
	}
	const volume, token = "/var/lib/kubelet/pods/1/volumes/nfs data", "/var/lib/kubelet/pods/1/volumes/token"
	mounts[volume], mounts[token] = "fileserver:/export", "tmpfs"
	write()
	w.m.Write(t, volume+"/dear", "data")
	busy := true
	w.m.Programs["umount"] = func(args []string, _ string) (string, error) {
		at := args[len(args)-1]
		if _, ok := mounts[at]; !ok || at == volume && (busy || args[0] != "-l") {
			return "", &hosttest.Exit{Code: 32, Stderr: "umount: " + at + ": target is busy"}
		}
		delete(mounts, at)
		if at == volume {
			remove(w, volume) // it is no longer seen here
		}
		write()
		return "", nil
	}
	err := w.undo(Init(Options{}))
	if err == nil || !strings.Contains(err.Error(), "must not be removed") || !strings.Contains(hint.Of(err), "umount "+volume) || w.called("kubeadm reset") != 0 {
		t.Errorf("%v (%s)", err, hint.Of(err))
	}
	if w.m.Read(t, volume+"/dear") != "data" || mounts[token] != "" {
		t.Errorf("mounted: %v", mounts)
	}
	busy = false
	if err := w.undo(Init(Options{})); err != nil || len(mounts) != 2 || w.called("kubeadm reset") != 1 {
		t.Errorf("%v; mounted: %v", err, mounts)
	}
}

// TestComplaints reads what kubeadm 1.17.4 printed.
func TestComplaints(t *testing.T) {
	t.Parallel()
	list := complaints("error execution phase preflight: [preflight] Some fatal errors occurred:\n\t[ERROR CRI]: container runtime is not running: output: Client:\n Debug Mode: false\n, error: exit status 1\n" +
		"\t[ERROR Service-Docker]: docker service is not active, please run 'systemctl start docker.service'\n\t[ERROR Odd]: what\n[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`\n")
	if len(list) != 3 || list[1].check != "Service-Docker" || list[1].hint(&host.Host{}, cri.About{}) == "" || list[2].hint(&host.Host{}, cri.About{}) != "" {
		t.Errorf("%+v", list)
	}
}

// TestComplaintHint: the hint is a command as it is typed.
func TestComplaintHint(t *testing.T) {
	t.Parallel()
	c := complaint{check: "FileExisting-conntrack", text: "conntrack not found in system path"}
	for name, manager := range map[string]string{"el7": "yum", "el9": "dnf"} {
		if got := c.hint(&host.Host{Software: family(t, name)}, cri.About{}); got != manager+" --disablerepo='*' --enablerepo=kubecrate install '*bin/conntrack'" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestRuntimeHint: what looks at containers is the runtime's own command.
func TestRuntimeHint(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"docker":     {"systemctl restart docker; then: journalctl -u docker -n 50", "uname -r and docker info show", "journalctl -u kubelet -n 50; docker ps -a shows"},
		"containerd": {"systemctl restart containerd; then: journalctl -u containerd -n 50", "uname -r and crictl info show", "journalctl -u kubelet -n 50; crictl ps -a shows"},
	} {
		r, err := cri.All().For(name)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Runtime: r.About()}
		for i, said := range []string{"[ERROR CRI]: x", "[ERROR SystemVerification]: x", "[kubelet-check] x\nphase kubelet-start"} {
			err := o.explain(&host.Host{}, "init", &host.CommandError{Argv: []string{"kubeadm"}, Err: errKilled, Stderr: said})
			if got := hint.Of(err); !strings.HasPrefix(got, want[i]) {
				t.Errorf("%s: %s: %q, want %q", name, said, got, want[i])
			}
		}
	}
	if got := (complaint{check: "Service-Docker"}).hint(&host.Host{}, cri.About{}); got != "systemctl enable docker && systemctl start docker" {
		t.Error(got)
	}
}

func family(t *testing.T, name string) distro.Distro {
	t.Helper()
	d, err := distro.For(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func FuzzComplaints(f *testing.F) {
	f.Add("\t[ERROR Swap]: running with swap on\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range complaints(text) {
			if c.check == "" || strings.Contains(c.text, "\n") {
				t.Errorf("%+v", c)
			}
			c.hint(&host.Host{}, cri.About{})
		}
	})
}

// withoutCluster is what a reset leaves of saved rules.
func withoutCluster(saved string, pods netip.Prefix) (kept string, changed bool) {
	return netfilter.Without(saved, func(words []string) bool { return (&record{pods: pods}).ofCluster(words) })
}
