package install

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/progress"
)

// TestKept: a reset that left something does not say that all is as before.
func TestKept(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	u := &Undone{Bundle: "b"}
	told := 0
	report := u.hear(func(progress.Event) { told++ })
	report(progress.Event{Kind: progress.Done, Text: "as it was before"})
	if err := u.WriteText(&said); err != nil || !strings.HasSuffix(said.String(), "was installed\n") {
		t.Errorf("nothing kept: %q, %v", said.String(), err)
	}
	report(progress.Event{Kind: progress.Warn, Text: "chrony stays: ntp-tools needs it"})
	said.Reset()
	if err := u.WriteText(&said); err != nil || !strings.Contains(said.String(), "except:\n  chrony stays: ntp-tools needs it") || told != 2 {
		t.Errorf("kept: %q, %v, told %d", said.String(), err, told)
	}
	(&Undone{}).hear(nil)(progress.Event{Kind: progress.Warn})
}

// TestResetWithoutRuntime: images that a stopped runtime keeps are listed.
func TestResetWithoutRuntime(t *testing.T) {
	t.Parallel()
	x := newLab(t, manifest.RuntimeDocker).host("master1", "192.168.4.11")
	x.stay(manifest.Master)
	x.m.Units["docker.service"].Active = false
	u, err := Reset(t.Context(), x.h, x.resetRequest(false))
	if err != nil {
		t.Fatal(err)
	}
	x.says(u, "except:\n  docker does not respond: ", " loaded images remain in /var/lib/docker")
}

// TestResetKilled: a reset that ends at any program is brought to its end by the
// same command, whichever release wrote the journal.
func TestResetKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	x := l.host("master1", "192.168.4.11")
	before, alive := x.state(), x.m.OnCall
	for i, at := range []string{"kubeadm reset", "docker -H unix:///var/run/docker.sock image rm", "systemctl disable kubelet", "rpm -e", "systemctl start firewalld"} {
		x.stay(manifest.Master)
		if i%2 == 0 {
			x.old("master")
		}
		ctx, kill := context.WithCancelCause(t.Context())
		x.m.OnCall = func(line string) error {
			if strings.HasPrefix(line, at) {
				kill(errKilled)
			}
			return context.Cause(ctx)
		}
		if _, err := Reset(ctx, x.h, x.resetRequest(false)); !errors.Is(err, errKilled) {
			t.Errorf("%s: %v", at, err)
		}
		x.m.OnCall = alive
		x.leave(before)
	}
}

// TestResetFailure: a program that fails once in a reset leaves all that the next
// reset needs, which then brings the host back to what it was.
func TestResetFailure(t *testing.T) {
	t.Parallel()
	for runtime, lines := range map[string][]string{
		manifest.RuntimeDocker: {
			"kubeadm reset", "docker .* image rm", "systemctl disable kubelet", "systemctl stop docker", "systemctl disable docker",
			"rpm -e --test", "rpm -e [^-]", "systemctl start firewalld", "systemctl start 'dev-dm",
		},
		manifest.RuntimeContainerd: {"kubeadm reset", "ctr .* images rm", "systemctl disable kubelet", "systemctl stop containerd", "systemctl disable containerd"},
	} {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			x := newLab(t, runtime).host("master1", "192.168.4.11")
			before, alive := x.state(), x.m.OnCall
			for _, line := range lines {
				x.stay(manifest.Master)
				at, failed, most := regexp.MustCompile("^"+line), 0, 1
				if line == "kubeadm reset" {
					most = 2 // it is repeated at once
				}
				x.m.OnCall = func(line string) error {
					if failed == most || !at.MatchString(line) {
						return nil
					}
					failed++
					return &hosttest.Exit{Code: 1, Stderr: "it failed"}
				}
				_, err := Reset(t.Context(), x.h, x.resetRequest(false))
				if x.m.OnCall = alive; failed != most || err == nil {
					t.Fatalf("%s failed %d times, and reset says %v", line, failed, err)
				}
				x.leave(before)
			}
		})
	}
}
