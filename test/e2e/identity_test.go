//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/media"
	"kubecrate/test/e2e/lab"
)

// password opens the identities of these tests. It lies on the masters, in a file
// that is not on the stick.
const (
	password     = "correct horse battery staple"
	passwordFile = "/var/lib/lab-password"
)

// identity makes the identity of the hosts, with a role each, and puts it on the
// stick. It returns the ticket.
func (c *cluster) identity(endpoint string, roles ...string) *manifest.Ticket {
	c.t.Helper()
	dir := c.t.TempDir()
	text := clusterFile + "hosts:\n"
	if endpoint != "" {
		text = clusterFile + "endpoint: " + endpoint + "\nhosts:\n"
	}
	for i, m := range c.on {
		text += fmt.Sprintf("  - {name: %s, address: %s, role: %s}\n", m.Name, m.Address, roles[i])
		if roles[i] != "node" {
			c.write(m, passwordFile, password+"\n")
		}
	}
	hosts, word := filepath.Join(dir, "hosts.yaml"), filepath.Join(dir, "password")
	for file, text := range map[string]string{hosts: text, word: password + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	if out, err := lab.Run(c.t.Context(), "../../bin/bundle", "identity", "new", "-f", hosts, "-o", c.Stick, "--passphrase-file", word); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	ticket, err := manifest.ReadTicket(media.At(c.Stick).File("join.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	return ticket
}

func (c *cluster) write(m *lab.Machine, name, text string) {
	c.t.Helper()
	if err := m.WriteFile(c.t.Context(), name, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// begin starts plain ./install on a host and waits until it waits for a master.
func (c *cluster) begin(m *lab.Machine, args ...string) *lab.Job {
	c.t.Helper()
	job, err := m.Start(c.t.Context(), append([]string{"/mnt/usb/install"}, args...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	for began := time.Now(); !strings.Contains(job.Output(), "waiting for the master"); time.Sleep(time.Second) {
		if time.Since(began) > 6*time.Minute {
			c.t.Fatalf("%s does not come to wait for the master:\n%s", m.Name, job.Output())
		}
	}
	return job
}

// ended waits for a job that has to end well.
func (c *cluster) ended(m *lab.Machine, job *lab.Job) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	if out, code, err := job.Wait(ctx); err != nil || code != 0 {
		c.t.Fatalf("%s: exit code %d, %v\n%s", m.Name, code, err, out)
	}
}

// carried is what lies on the stick but for the hosts' own sheets, to see that
// nothing has to be carried back.
func (c *cluster) carried() string {
	c.t.Helper()
	var b strings.Builder
	for _, name := range entries(c.t, c.Stick) {
		if name == "hosts" {
			continue
		}
		info, err := os.Stat(filepath.Join(c.Stick, name))
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d", name, info.Size())
		const small = 1 << 20
		if text, err := os.ReadFile(filepath.Join(c.Stick, name)); info.Size() < small && err == nil {
			fmt.Fprintf(&b, " %x", sha256.Sum256(text))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// ready waits until the cluster has so many nodes, all of them Ready.
func (c *cluster) ready(want int) {
	c.t.Helper()
	var out string
	for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(2 * time.Second) {
		out, _ = c.code(c.on[0], "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes", "-o",
			`jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}`)
		if strings.Count(out, "=True") == want && len(strings.Fields(out)) == want {
			return
		}
	}
	c.t.Fatalf("nodes: %s", out)
}

// runs waits until the pod of a deployment runs.
func (c *cluster) runs(deployment string) {
	c.t.Helper()
	var out string
	for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(2 * time.Second) {
		out, _ = c.code(c.on[0], "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "deployment", deployment, "-o", "jsonpath={.status.availableReplicas}")
		if out == "1" {
			return
		}
	}
	c.t.Errorf("%s does not run: %s", deployment, out)
}

// quiet looks for secrets in what is kept on a host, in its logs and among its
// processes.
func (c *cluster) quiet(m *lab.Machine, secrets ...string) {
	c.t.Helper()
	for _, s := range secrets {
		for what, argv := range map[string][]string{
			"the journal": {"journalctl", "--no-pager", "--grep=" + s},
			"a process":   {"pgrep", "--full", "--list-full", s},
			"a file":      {"grep", "-rlF", "--", s, "/var/lib/kubecrate", "/var/log", "/tmp"},
		} {
			out, code := c.code(m, argv...)
			if kept := strings.TrimSpace(strings.ReplaceAll(out, "/var/lib/kubecrate/join.yaml", "")); code == 0 && kept != "" && !strings.Contains(out, "No entries") && !strings.Contains(out, "pgrep") {
				c.t.Errorf("%s: a secret stands in %s:\n%s", m.Name, what, out)
			}
		}
	}
}

// TestIdentity: an identity made before any host, and the hosts visited in the
// order node, master, node, with nothing carried back.
func TestIdentity(t *testing.T) {
	c := newCluster(t, "host1", "host2", "host3")
	ticket := c.identity("", "node", "master", "node")
	first, master, last := c.on[0], c.on[1], c.on[2]
	before := c.carried()

	var job *lab.Job
	c.step("a node waits", func(t *testing.T) {
		job = c.begin(first)
		if out := job.Output(); !strings.Contains(out, "of at most 12h0m0s") || !strings.Contains(out, "continue with the other hosts") {
			t.Errorf("it does not say how long it waits, and that the stick may go:\n%s", out)
		}
	})
	c.step("a wrong passphrase", func(t *testing.T) {
		held := c.snapshot(master)
		c.write(master, "/var/lib/lab-wrong", "correct horse battery stable\n")
		out := c.mustInstall(master, 4, "--passphrase-file", "/var/lib/lab-wrong")
		if !strings.Contains(out, "wrong passphrase for /mnt/usb/identity.age") {
			t.Errorf("it does not say why:\n%s", out)
		}
		c.same(master, held, "a wrong passphrase")
	})
	c.step("the master", func(t *testing.T) {
		out := c.mustInstall(master, 0, "plan")
		if !strings.Contains(out, "copy the cluster's CAs and keys from identity.age") {
			t.Errorf("the plan asks for the passphrase, or does not say what it is for:\n%s", out)
		}
		c.mustInstall(master, 0, "--passphrase-file", passwordFile)
		modes := c.must(master, "stat", "--format=%a %n", "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/etcd/ca.key", "/etc/kubernetes/pki/front-proxy-ca.key", "/etc/kubernetes/pki/sa.key")
		if strings.Count(modes, "600 ") != 4 {
			t.Errorf("modes of keys:\n%s", modes)
		}
	})
	c.step("the nodes", func(*testing.T) {
		c.ended(first, job)
		c.mustInstall(last, 0)
	})
	c.on = []*lab.Machine{master, first, last}
	c.step("works", func(t *testing.T) {
		c.ready(3)
		c.works()
		if after := c.carried(); after != before {
			t.Errorf("the stick was written to:\n%s\nbefore\n%s", after, before)
		}
		for _, m := range c.on {
			c.mustInstall(m, 0, "status")
			c.quiet(m, ticket.Token, password, "BEGIN RSA PRIVATE KEY")
		}
	})
	c.step("retired", func(t *testing.T) {
		c.mustInstall(master, 0)
		id, _, _ := strings.Cut(ticket.Token, ".")
		if out, code := c.code(master, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--namespace=kube-system", "get", "secret", "bootstrap-token-"+id); code == 0 {
			t.Errorf("all hosts have joined, and the token lives:\n%s", out)
		}
		if slices.Contains(entries(t, c.Stick), "join.yaml") {
			t.Error("the ticket lies on the stick")
		}
		c.mustInstall(master, 0, "status")
	})
	c.step("reset", func(t *testing.T) {
		c.mustInstall(master, 0, "reset", "--yes")
		if out, code := c.code(master, "ls", "/etc/kubernetes/pki"); code == 0 {
			t.Errorf("a reset leaves the keys:\n%s", out)
		}
	})
}

// TestMasters: three masters and a node, of which the first master loses its
// power and comes back. It takes longer than a run of all tests may.
func TestMasters(t *testing.T) {
	if os.Getenv("KUBECRATE_SOAK") == "" {
		t.Skip("KUBECRATE_SOAK is not set: make soak")
	}
	c := newCluster(t, "host1", "host2", "host3", "host4")
	c.identity("k8s.lan", "master", "master", "master", "node")
	lost, others, node := c.on[0], c.on[1:3], c.on[3]
	c.step("made", func(*testing.T) {
		waiting := c.begin(node)
		c.mustInstall(lost, 0, "--passphrase-file", passwordFile)
		c.ended(node, waiting)
		for _, m := range others { // one after the other, as etcd takes them
			c.mustInstall(m, 0, "--passphrase-file", passwordFile)
		}
		c.ready(4)
		for _, m := range c.on {
			c.mustInstall(m, 0, "status")
		}
	})
	c.on = append(slices.Clone(others), node)
	c.step("one is lost", func(t *testing.T) {
		if err := lost.PowerOff(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, m := range c.on {
			c.must(m, "curl", "--silent", "--fail", "--insecure", "--max-time", "20", "--retry", "10", "--retry-delay", "3", "--retry-connrefused", "--output", "/dev/null", "https://k8s.lan:6443/healthz")
		}
		c.kubectl("create", "deployment", "nginx", "--image=nginx:1.14-alpine")
		c.runs("nginx")
		c.kubectl("delete", "deployment", "nginx")
	})
	c.step("and comes back", func(t *testing.T) {
		if err := lost.PowerOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.ready(4)
		var out string
		for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(2 * time.Second) {
			var code int
			if out, code = c.install(lost, "status"); code == 0 {
				return
			}
		}
		t.Errorf("after its power came back, status is:\n%s", out)
	})
	c.step("a master leaves", func(t *testing.T) {
		c.mustInstall(others[1], 0, "reset", "--yes")
		c.kubectl("delete", "node", others[1].Name)
		out := c.kubectl("--namespace=kube-system", "exec", "etcd-"+others[0].Name, "--", "etcdctl", "--endpoints=https://127.0.0.1:2379",
			"--cacert=/etc/kubernetes/pki/etcd/ca.crt", "--cert=/etc/kubernetes/pki/etcd/peer.crt", "--key=/etc/kubernetes/pki/etcd/peer.key", "member", "list")
		if strings.Contains(out, others[1].Name) {
			t.Errorf("etcd still counts on it:\n%s", out)
		}
		c.ready(3)
	})
}

// TestSingle: master and node on one host, on which pods run.
func TestSingle(t *testing.T) {
	c := newCluster(t, "host1")
	if err := os.WriteFile(filepath.Join(c.Stick, "lab.yaml"), []byte(clusterFile), 0o644); err != nil {
		t.Fatal(err)
	}
	only := c.on[0]
	before := c.snapshot(only)
	c.step("made", func(t *testing.T) {
		out := c.mustInstall(only, 0, role(only, "single")...)
		if !strings.Contains(out, "the cluster works") {
			t.Errorf("it was not tested:\n%s", out)
		}
		if taints := c.kubectl("get", "nodes", "-o", "jsonpath={.items[*].spec.taints}"); taints != "" {
			t.Errorf("the host is tainted: %s", taints)
		}
		c.mustInstall(only, 0, "status")
	})
	c.step("runs pods", func(*testing.T) {
		c.kubectl("create", "deployment", "nginx", "--image=nginx:1.14-alpine")
		c.runs("nginx")
		c.noPull()
	})
	c.step("reset", func(*testing.T) {
		c.mustInstall(only, 0, "reset", "--yes")
		c.same(only, before, "reset")
	})
}

// TestStockAge: what bundle identity new writes, Debian's age opens. It asks on a
// terminal, which script gives it.
func TestStockAge(t *testing.T) {
	for _, tool := range []string{"age", "script", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "this needs "+tool+": run test/e2e/setup")
		}
	}
	dir := t.TempDir()
	hosts, word := filepath.Join(dir, "hosts.yaml"), filepath.Join(dir, "password")
	for file, text := range map[string]string{
		word:  password + "\n",
		hosts: "apiVersion: kubecrate/v1\nkind: Cluster\nhosts:\n  - {name: m, address: 192.168.4.11, role: master}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := lab.Run(t.Context(), "../../bin/bundle", "identity", "new", "-f", hosts, "-o", dir, "--passphrase-file", word); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sealed, opened := filepath.Join(dir, "identity.age"), filepath.Join(dir, "identity.tar")
	// What is typed before age asks is lost: it is typed again until age is done.
	cmd := exec.CommandContext(t.Context(), "script", "--quiet", "--return", "--command", "age --decrypt --output "+opened+" "+sealed, "/dev/null")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var typing sync.WaitGroup
	done := make(chan struct{})
	typing.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Second):
				_, _ = in.Write([]byte(password + "\n"))
			}
		}
	})
	err = cmd.Wait()
	close(done)
	typing.Wait()
	if err != nil {
		t.Fatalf("age: %v", err)
	}
	list, err := lab.Run(t.Context(), "tar", "-tf", opened)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(list), []string{"join.yaml", "ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"}; !slices.Equal(got, want) {
		t.Errorf("age gives %v", got)
	}
}
