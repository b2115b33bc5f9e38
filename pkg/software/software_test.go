package software_test

import (
	"errors"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/software"
)

type named struct{}

func (named) InstallHint(programs ...string) string { return "pkg install " + programs[0] }
func (named) FreeHint() string                      { return "pkg clean" }

// TestMissing: the hint is that of the host's source; without one it names ./install.
func TestMissing(t *testing.T) {
	t.Parallel()
	cause := errors.New("kubelet is not installed")
	for _, c := range []struct {
		h          host.Host
		want, free string
	}{
		{host.Host{Software: named{}}, "pkg install kubelet", "journalctl --vacuum-size=100M and pkg clean free some"},
		{host.Host{}, "./install again: it installs kubelet, kubeadm from the bundle", "journalctl --vacuum-size=100M frees some"},
	} {
		err := software.Missing(&c.h, cause, "kubelet", "kubeadm")
		if !errors.Is(err, cause) || hint.Of(err) != c.want {
			t.Errorf("%v (hint: %s), want %s", err, hint.Of(err), c.want)
		}
		if got := c.h.FreeHint(); got != c.free {
			t.Errorf("%s, want %s", got, c.free)
		}
	}
	if err := software.Missing(&host.Host{}, nil, "kubelet"); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
}
