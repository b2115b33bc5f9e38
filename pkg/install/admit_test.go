package install

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/preflight"
)

// TestCheckedAgain: what an identity seals counts, and so the host is checked
// against that before it is changed, whatever lies beside it.
func TestCheckedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t, manifest.RuntimeDocker)
	const head, hosts = "apiVersion: kubecrate/v1\nkind: Cluster\n", "hosts: [{name: master1, address: 192.168.4.11, role: master}]\n"
	l.identity(head + "podCIDR: 172.30.0.0/16\n" + hosts)
	write(t, l.stick+"/cluster.yaml", head+"endpoint: 192.168.4.11:6443\n"+hosts)
	master := l.host("master1", "192.168.4.11")
	master.m.Write(t, "/etc/resolv.conf", "nameserver 172.30.0.53\n")
	before, asked := master.state(), false
	_, err := master.run("", func(o *RunRequest) {
		o.Wait = time.Second
		o.Passphrase = func(context.Context, string) (string, error) { asked = true; return password, nil }
	})
	var failed *preflight.Error
	if !errors.As(err, &failed) || !asked || !strings.Contains(err.Error(), "172.30.0.53, a nameserver of this host") {
		t.Errorf("asked %v: %v", asked, err)
	}
	if after := master.state(); after != before {
		t.Errorf("it was changed:\n%s", difference(before, after))
	}
}
