package cri

import (
	"strings"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/netfilter"
	"kubecrate/pkg/step"
)

// dockerRules is what iptables-save printed on a host whose docker was stopped.
const dockerRules = `*filter
:INPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A INPUT ! -i lo -p tcp --dport 6443 -j REJECT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
COMMIT
`

func TestOfDocker(t *testing.T) {
	t.Parallel()
	left, changed := netfilter.Without(dockerRules, ofDocker)
	want := "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ! -i lo -p tcp --dport 6443 -j REJECT\nCOMMIT\n*nat\n-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE\nCOMMIT\n"
	if !changed || left != want {
		t.Errorf("left:\n%s", left)
	}
}

// unkept lets a host be changed.
type unkept struct{}

func (unkept) File(string, host.FileState, []byte) error { return nil }
func (unkept) Undo([]string) error                       { return nil }

// TestDockerClean: a docker that runs keeps its network, one that does not
// leaves none.
func TestDockerClean(t *testing.T) {
	t.Parallel()
	for _, runs := range []bool{true, false} {
		h, m := hosttest.New(t)
		rules := dockerRules
		m.Programs["iptables-save"] = func([]string, string) (string, error) { return rules, nil }
		m.Programs["iptables-restore"] = func(_ []string, text string) (string, error) { rules = text; return "", nil }
		m.Programs["ip"] = func([]string, string) (string, error) { return "", nil }
		m.Write(t, "/sys/class/net/docker0/mtu", "1500\n")
		m.Units[dockerUnit] = &hosttest.Unit{Active: runs}
		var c step.Cleaner = dockerStep{}
		if err := c.Clean(t.Context(), h.With(unkept{})); err != nil {
			t.Fatal(err)
		}
		gone := strings.Contains(strings.Join(m.Calls(), "\n"), "ip link delete docker0")
		if gone == runs || strings.Contains(rules, "DOCKER") != runs {
			t.Errorf("docker runs %v: link removed %v, rules\n%s", runs, gone, rules)
		}
	}
}
