//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kubecrate/test/e2e/lab"
)

// TestSameFile: one lock, two folders, two caches, other numbers of downloads
// and processors: one archive.
func TestSameFile(t *testing.T) {
	s := newSite(t, options{packages: true, images: []string{smallImage, "k8s.gcr.io/kube-controller-manager:v1.17.4", "k8s.gcr.io/kube-scheduler:v1.17.4",
		"k8s.gcr.io/kube-proxy:v1.17.4", "k8s.gcr.io/etcd:3.4.3-0", "k8s.gcr.io/coredns:1.6.5", "k8s.gcr.io/pause:3.1", "quay.io/coreos/flannel:v0.14.0", "nginx:1.14-alpine"}})
	for _, level := range []string{"fast", "default", "better", "best"} {
		t.Run(level, func(t *testing.T) {
			s := s.on(t)
			first := s.mustBuild("--level", level, "--jobs", "1")
			other := s.on(t)
			other.dir = t.TempDir()
			other.cache, other.out = filepath.Join(other.dir, "cache"), filepath.Join(other.dir, "out")
			other.write("lab.yaml", s.read("lab.yaml"))
			other.write("lab.lock", s.read("lab.lock"))
			cmd := other.command(t.Context(), "build", "lab.yaml", "-o", other.out, "--progress", "plain", "--level", level, "--jobs", "8")
			cmd.Env = append(cmd.Env, "GOMAXPROCS=1", "TZ=Asia/Tokyo", "LC_ALL=C")
			if r := other.wait(cmd); r.code != 0 {
				t.Fatalf("build: exit code %d\n%s", r.code, said(r.stderr))
			}
			s.tool("cmp", first, other.archive())
			if got, want := other.read("lab.lock"), s.read("lab.lock"); got != want {
				t.Error("the second build changed the lock")
			}
		})
	}
}

// TestSoak kills builds at random moments for the time that KUBECRATE_SOAK
// says, on one cache; the archive at the end is that of an undisturbed build.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("KUBECRATE_SOAK"))
	if err != nil {
		t.Skip("KUBECRATE_SOAK is not set: make soak")
	}
	s := newSite(t, options{packages: true})
	whole := s.mustBuild("--cache", filepath.Join(s.dir, "cold"), "-o", filepath.Join(s.dir, "whole"))
	until := time.Now().Add(length)
	rounds := 0
	for ; time.Now().Before(until); rounds++ {
		s.hub.Break(lab.Fault{Cut: rand.Int64N(30e6) + 1, Times: rand.IntN(5) + 1}, lab.Fault{Rate: 20e6 + rand.Int64N(100e6)})
		moment := time.Now().Add(time.Duration(rand.Int64N(int64(12 * time.Second))))
		cmd := s.command(t.Context(), "build", "lab.yaml", "-o", s.out, "--progress", "plain")
		timer := time.AfterFunc(time.Until(moment), func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		r := s.wait(cmd)
		timer.Stop()
		if r.code != 0 && r.code != -1 {
			t.Fatalf("round %d: exit code %d\n%s", rounds, r.code, said(r.stderr))
		}
		if r.code == 0 {
			s.tool("cmp", s.archive(), filepath.Join(s.dir, "whole", filepath.Base(whole)))
			if err := os.RemoveAll(s.cache); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range entries(t, s.out) {
			if strings.HasSuffix(name, ".zst") && r.code != 0 {
				s.tool("zstd", "-q", "-t", s.archive())
			}
		}
	}
	s.hub.Break()
	s.mustBuild()
	s.tool("cmp", s.archive(), filepath.Join(s.dir, "whole", filepath.Base(whole)))
	fmt.Printf("soak: %d rounds in %s\n", rounds, length)
}
