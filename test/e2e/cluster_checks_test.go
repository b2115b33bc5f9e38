//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kubecrate/pkg/archive"
	"kubecrate/test/e2e/lab"
)

// kills is how often the regular run ends an installation by SIGKILL.
const kills = 3

// soakKills is the same for make soak.
const soakKills = 20

// snapshot is all of a host that an installation changes: files with their
// owners, modes and contents, units, packages, kernel settings, the firewall's
// rules and the network's links. Accounts that scripts of packages make stay on
// every such system, and so do empty directories that no package owns. Settings
// that are the whole machine's, as all of vm is, are not this host's alone.
func (c *cluster) snapshot(m *lab.Machine) string {
	c.t.Helper()
	var b strings.Builder
	for _, argv := range [][]string{
		append(append([]string{"find", "/etc", "/root", "/home", "/opt", "/usr/local", "/var/lib/kubecrate", "!", "-type", "d"}, passing()...),
			"-printf", "%p %y %m %U %G %l\n"),
		append(append([]string{"find", "/etc", "/root", "/home", "-type", "f"}, passing()...), "-exec", "sha256sum", "{}", "+"),
		{"find", "/var/lib", "/run/", "-maxdepth", "1", "(", "-name", "*kube*", "-o", "-name", "etcd", "-o", "-name", "cni", "-o", "-name", "flannel", ")", "!", "-name", "kubecrate.lock"},
		{"rpm", "-qa"},
		{"systemctl", "list-unit-files", "--no-legend", "--no-pager", "--type=service,swap,socket"},
		{"systemctl", "list-units", "--no-legend", "--no-pager", "--plain", "--type=service,socket", "--state=active"},
		{"sysctl", "net.ipv4.ip_forward"},
		{"iptables-save"}, {"ip6tables-save"},
		{"ip", "-o", "link"},
		{"hostname"},
	} {
		// What is missing is told on the other stream.
		out, _, err := m.Output(c.t.Context(), argv...)
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\n%s", argv[0]+" "+argv[1%len(argv)], sortedLines(out))
	}
	return b.String()
}

// passing leaves out of find what is not compared.
func passing() []string {
	var argv []string
	for _, name := range []string{"ld.so.cache", ".updated", "passwd*", "shadow*", "group*", "gshadow*"} {
		argv = append(argv, "!", "-name", name)
	}
	return argv
}

// counters are what differs in rules and links that are the same.
var counters = regexp.MustCompile(`\[\d+:\d+\]|^# .*|^\*\w+$|^COMMIT$|\bqlen \d+|^\d+: |@if\d+`)

func sortedLines(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = counters.ReplaceAllString(line, "")
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

// same compares a host with what it was.
func (c *cluster) same(m *lab.Machine, before, after string) {
	c.t.Helper()
	now := c.snapshot(m)
	if now == before {
		return
	}
	was, is := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(before) {
		was[line] = true
	}
	for line := range strings.Lines(now) {
		is[line] = true
	}
	var diff strings.Builder
	for line := range strings.Lines(before) {
		if !is[line] {
			diff.WriteString("-" + line)
		}
	}
	for line := range strings.Lines(now) {
		if !was[line] {
			diff.WriteString("+" + line)
		}
	}
	c.t.Errorf("%s is not as it was after %s:\n%s", m.Name, after, diff.String())
}

// refused: nothing is changed by a plan, where preflight fails, and where one
// bit of a member that the role needs is another.
func (c *cluster) refused(m *lab.Machine, before string) {
	out := c.mustInstall(m, 0, append([]string{"plan"}, role(m, "master")...)...)
	for _, want := range []string{"run kubeadm init to make this host the first master", "+SELINUX=disabled", "stop firewalld.service"} {
		if !strings.Contains(out, want) {
			c.t.Errorf("the plan does not say %q", want)
		}
	}
	c.same(m, before, "a plan")

	out = c.mustInstall(m, 3, "--role", "master", "--cluster", "/mnt/usb/lab.yaml")
	if !strings.Contains(out, "--advertise-address "+m.Address) {
		c.t.Error("without a default route it does not ask for the flag by name")
	}
	c.same(m, before, "a preflight that failed")

	c.mustInstall(m, 1, "status") // nothing is installed
	name := filepath.Base(c.bundle)
	for i, member := range c.victims() {
		flipped := filepath.Join(c.Stick, fmt.Sprintf("flipped-%d", i), name)
		c.flip(flipped, member)
		out := c.mustInstall(m, 4, append(role(m, "master"), "--archive", "/mnt/usb/"+fmt.Sprintf("flipped-%d/", i)+name)...)
		if !strings.Contains(out, member) {
			c.t.Errorf("the damaged member %s is not named", member)
		}
		c.same(m, before, "a damaged archive")
		if err := os.RemoveAll(filepath.Dir(flipped)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// victims are a member of each kind that a master needs: the largest, which has
// a frame of its own.
func (c *cluster) victims() []string {
	r, closer, err := archive.OpenPath(c.bundle)
	if err != nil {
		c.t.Fatal(err)
	}
	defer closer.Close()
	var names []string
	for _, part := range []string{"rpms/", "images/blobs/"} {
		best := archive.Member{}
		for _, m := range r.Index().Members {
			if strings.HasPrefix(m.Path, part) && m.Size > best.Size {
				best = m
			}
		}
		names = append(names, best.Path)
	}
	return names
}

// flip makes a copy of the archive in which one bit within member is another.
func (c *cluster) flip(to, member string) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		c.t.Fatal(err)
	}
	copyFile(c.t, c.bundle, to)
	r, closer, err := archive.OpenPath(c.bundle)
	if err != nil {
		c.t.Fatal(err)
	}
	only := func(m archive.Member) bool { return m.Path == member }
	// What lies in front of it in the file, in whole frames, and then half of its own.
	at := r.Compressed(func(m archive.Member) bool { return m.Offset < offsetOf(r, member) }) + r.Compressed(only)/2
	if err := closer.Close(); err != nil {
		c.t.Fatal(err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		c.t.Fatal(err)
	}
	one[0] ^= 1 << 3
	if _, err := f.WriteAt(one, at); err != nil {
		c.t.Fatal(err)
	}
}

func offsetOf(r *archive.Reader, member string) int64 {
	at, _ := r.Offset(member)
	return at
}

// forget empties the kernel's memory of files, so that what is read of the stick
// comes from it.
func (c *cluster) forget() {
	c.must(c.on[0], "sync")
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0); err != nil {
		c.t.Fatal(err)
	}
}

// once: the check of the archive before anything is changed, and its use, read
// each byte of the stick once, as long as the memory holds them in between.
func (c *cluster) once(said string) {
	m := regexp.MustCompile(`used (\d+) MB of the archive, read (\d+) MB from disk`).FindStringSubmatch(said)
	if m == nil {
		c.t.Fatal("it does not say how much it read")
	}
	needed, err := strconv.Atoi(m[1])
	read, rerr := strconv.Atoi(m[2])
	const ahead = 1.2 // what the kernel reads ahead, and files of the host
	if err != nil || rerr != nil || float64(read) > ahead*float64(needed) {
		c.t.Errorf("%d MB were needed and %d MB read", needed, read)
	}
}

// works: three Ready nodes, nginx by NodePort from every host, ClusterIP and DNS
// from a pod, and nobody asked a registry for anything.
func (c *cluster) works() {
	ready := strings.Fields(c.kubectl("get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}`))
	if got := strings.Join(slices.Sorted(slices.Values(ready)), " "); got != "host1=True host2=True host3=True" {
		c.t.Errorf("nodes: %s", got)
	}
	phases := c.kubectl("get", "pods", "--namespace=kube-system", "-o", "jsonpath={.items[*].status.phase}")
	if strings.Trim(strings.ReplaceAll(phases, "Running", ""), " ") != "" {
		c.t.Errorf("kube-system: %s", phases)
	}
	c.kubectl("create", "deployment", "nginx", "--image=nginx:1.14-alpine")
	c.kubectl("expose", "deployment", "nginx", "--port=80", "--type=NodePort")
	c.kubectl("rollout", "status", "deployment/nginx", "--timeout=120s")
	port := c.kubectl("get", "service", "nginx", "-o", "jsonpath={.spec.ports[0].nodePort}")
	ip := c.kubectl("get", "service", "nginx", "-o", "jsonpath={.spec.clusterIP}")
	for _, from := range c.on {
		for _, to := range c.on {
			out := c.must(from, "curl", "--silent", "--max-time", "10", "--retry", "5", "--retry-connrefused", "--output", "/dev/null", "--write-out", "%{http_code}", "http://"+to.Address+":"+port+"/")
			if out != "200" {
				c.t.Errorf("nginx on %s from %s: %s", to.Name, from.Name, out)
			}
		}
	}
	pod := c.kubectl("get", "pods", "--selector=app=nginx", "-o", "jsonpath={.items[0].metadata.name}")
	for _, url := range []string{"http://" + ip + "/", "http://nginx.default.svc.cluster.local/"} {
		c.kubectl("exec", pod, "--", "wget", "-q", "-O", "/dev/null", url)
	}
	c.kubectl("delete", "service,deployment", "nginx")
	c.noPull()
}

// noPull: neither docker nor the kubelet went for an image, and nothing left
// the network, since it has no way out.
func (c *cluster) noPull() {
	for _, m := range c.on {
		out, _ := c.code(m, "journalctl", "--no-pager", "--unit=docker", "--unit=kubelet", "--grep=pulling image|pull image|Attempting next endpoint|ErrImagePull")
		if strings.Contains(strings.ToLower(out), "pull") {
			c.t.Errorf("%s went for an image:\n%s", m.Name, out)
		}
	}
	if events := c.kubectl("get", "events", "--all-namespaces", "-o", `jsonpath={.items[?(@.reason=="Pulling")].message}`); events != "" {
		c.t.Errorf("images were pulled: %s", events)
	}
}

// reboot: after a power cut the host comes back as a node that is Ready, and
// status says so.
func (c *cluster) reboot(m *lab.Machine) {
	if err := m.Crash(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	var out string
	for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(2 * time.Second) {
		var code int
		if out, code = c.install(m, "status"); code == 0 {
			return
		}
	}
	c.t.Errorf("after a boot, status is:\n%s", out)
}

// killed ends installations at random moments, each on a host that is as at
// first, and lets the same command end every one.
func (c *cluster) killed(m *lab.Machine, as string, times int) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KUBECRATE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			c.t.Fatal(err)
		}
	}
	c.t.Logf("KUBECRATE_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	longest := 30 * time.Second // an installation that nobody ends takes about as long here
	if as == "master" {
		longest = 60 * time.Second
	}
	for i := range times {
		after := time.Duration(random.Int64N(int64(longest)))
		job, err := m.Start(c.t.Context(), odd(role(m, as)...)...)
		if err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(after)
		if err := job.Kill(c.t.Context()); err != nil {
			c.t.Fatal(err)
		}
		said, code, err := job.Wait(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		last := said[strings.LastIndex(strings.TrimSpace(said), "\n")+1:]
		began := time.Now()
		c.mustInstall(m, 0, role(m, as)...)
		c.t.Logf("kill %d after %v (exit code %d, at %q): Ready %v later", i+1, after.Round(time.Millisecond), code, strings.TrimSpace(last), time.Since(began).Round(time.Second))
		if i+1 < times {
			c.mustInstall(m, 0, "reset", "--yes")
			if as == "node" {
				c.kubectl("delete", "node", m.Name)
			}
		}
	}
}
