package install

import (
	"context"
	"errors"
	"strings"
	"testing"

	"kubecrate/manifest"
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
	if err := u.WriteText(&said); err != nil || !strings.Contains(said.String(), "but for this:\n  chrony stays: ntp-tools needs it") || told != 2 {
		t.Errorf("kept: %q, %v, told %d", said.String(), err, told)
	}
	(&Undone{}).hear(nil)(progress.Event{Kind: progress.Warn})
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
