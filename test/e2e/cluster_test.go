//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// cluster are isolated hosts, and a stick with a bundle of real Kubernetes on it.
type cluster struct {
	*hosts
	bundle string // the archive's path on this machine
}

// newCluster boots the hosts and fills the stick, or skips where this machine
// cannot.
func newCluster(t *testing.T, names ...string) *cluster {
	t.Helper()
	needHosts(t)
	l, err := lab.New(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("cannot end the lab: %v", err)
		}
	})
	program, err := filepath.Abs("../../bin/bundle")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &cluster{hosts: &hosts{Lab: l, t: t}}
	if c.bundle, err = l.ClusterBundle(t.Context(), program, dir); err != nil {
		t.Fatal(err)
	}
	base, err := l.BaseRPM(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Room, c.on, err = l.StartHosts(t.Context(), base, names...); err != nil {
		t.Fatal(err)
	}
	for _, name := range entries(t, filepath.Dir(c.bundle)) {
		copyFile(t, filepath.Join(filepath.Dir(c.bundle), name), filepath.Join(c.Stick, name))
	}
	t.Cleanup(c.diagnose)
	return c
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if _, err := lab.Run(t.Context(), "cp", "-a", "--reflink=auto", from, to); err != nil {
		t.Fatal(err)
	}
}

// diagnose shows what a person would look at when a test has failed.
func (c *cluster) diagnose() {
	if !c.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, m := range c.on {
		for _, argv := range [][]string{
			{"docker", "ps", "-a", "--format", "{{.Names}} {{.Status}}"},
			{"journalctl", "--no-pager", "--lines=30", "--unit=kubelet"},
			{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes,pods", "--all-namespaces", "-o", "wide"},
		} {
			out, _, err := m.Run(ctx, argv...)
			c.t.Logf("%s: %s: %v\n%s", m.Name, strings.Join(argv, " "), err, out)
		}
	}
}

// install runs the installer on a host, from the stick, and returns what it
// printed and its exit code.
func (c *cluster) install(m *lab.Machine, args ...string) (string, int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 15*time.Minute)
	defer cancel()
	out, code, err := m.Run(ctx, append([]string{"/mnt/usb/install"}, args...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out, code
}

// mustInstall is install where it has to end with that exit code.
func (c *cluster) mustInstall(m *lab.Machine, want int, args ...string) string {
	c.t.Helper()
	began := time.Now()
	out, code := c.install(m, args...)
	if code != want {
		c.t.Fatalf("%s: install %s: exit code %d, want %d\n%s", m.Name, strings.Join(args, " "), code, want, out)
	}
	c.t.Logf("%s: install %s: %v\n%s", m.Name, strings.Join(args, " "), time.Since(began).Round(time.Second), out)
	return out
}

// role are the flags of an isolated host: it has no default route, so nothing
// else tells its address.
func role(m *lab.Machine, role string) []string {
	return []string{"--role", role, "--advertise-address", m.Address, "--cluster", "/mnt/usb/lab.yaml"}
}

// clusterFile is what only the lab needs: kube-proxy cannot change the limit of
// connections from within a container.
const clusterFile = `apiVersion: kubecrate/v1
kind: Cluster
proxy: {conntrackMaxPerCore: 0, conntrackMin: 0}
`

// kubectl runs kubectl on the first master.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	return c.must(c.on[0], append([]string{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"}, args...)...)
}

// TestCluster is the life of a cluster, from the first host that refuses a
// damaged archive to the last one that is as it was before.
func TestCluster(t *testing.T) {
	c := newCluster(t, "host1", "host2", "host3")
	if err := os.WriteFile(filepath.Join(c.Stick, "lab.yaml"), []byte(clusterFile), 0o644); err != nil {
		t.Fatal(err)
	}
	before := map[*lab.Machine]string{}
	for _, m := range c.on {
		before[m] = c.snapshot(m)
	}
	master, nodes := c.on[0], c.on[1:]

	c.step("refused", func(*testing.T) { c.refused(master, before[master]) })
	c.step("master", func(*testing.T) {
		c.forget()
		c.once(c.mustInstall(master, 0, role(master, "master")...))
		c.mustInstall(master, 0, "status")
	})
	c.step("nodes", func(*testing.T) {
		var wg sync.WaitGroup
		for _, m := range nodes {
			wg.Go(func() { c.mustInstall(m, 0, role(m, "node")...) })
		}
		wg.Wait()
	})
	c.step("works", func(*testing.T) { c.works() })
	c.step("networks", func(*testing.T) { c.networks(c.kubectl) })
	c.step("again", func(*testing.T) {
		for i, m := range c.on {
			held := c.snapshot(m)
			out := c.mustInstall(m, 0, role(m, []string{"master", "node", "node"}[i])...)
			if !strings.Contains(out, "nothing changed") {
				c.t.Errorf("%s: a second run does not say that it changed nothing", m.Name)
			}
			c.same(m, held, "a second run")
		}
	})
	c.step("reboot", func(t *testing.T) { c.reboot(nodes[0]) })
	c.step("reset a node", func(*testing.T) {
		c.mustInstall(nodes[1], 0, "reset", "--yes")
		c.same(nodes[1], before[nodes[1]], "reset")
		c.kubectl("delete", "node", nodes[1].Name)
	})
	c.step("killed", func(t *testing.T) { c.killed(nodes[1], "node", kills) })
	c.step("reset the master", func(*testing.T) {
		for _, m := range []*lab.Machine{nodes[0], nodes[1], master} {
			c.mustInstall(m, 0, "reset", "--yes")
			c.same(m, before[m], "reset")
		}
		c.mustInstall(master, 1, "status")
	})
	c.step("and again", func(*testing.T) { c.mustInstall(master, 0, append(role(master, "master"), "--no-smoke")...) })
}

// step runs a part of the life; the parts after one that failed are not run.
func (c *cluster) step(name string, f func(*testing.T)) {
	c.t.Helper()
	if c.t.Failed() {
		return
	}
	outer := c.t
	outer.Run(name, func(t *testing.T) {
		c.t = t
		defer func() { c.t = outer }()
		f(t)
	})
}

// TestSoakKills ends twenty installations of a node by SIGKILL and lets the same
// command end every one: make soak.
func TestSoakKills(t *testing.T) {
	if os.Getenv("KUBECRATE_SOAK") == "" {
		t.Skip("make soak runs it")
	}
	c := newCluster(t, "host1", "host2")
	if err := os.WriteFile(filepath.Join(c.Stick, "lab.yaml"), []byte(clusterFile), 0o644); err != nil {
		t.Fatal(err)
	}
	before := c.snapshot(c.on[1])
	c.mustInstall(c.on[0], 0, role(c.on[0], "master")...)
	c.killed(c.on[1], "node", soakKills)
	c.mustInstall(c.on[1], 0, "reset", "--yes")
	c.same(c.on[1], before, "reset")
}
