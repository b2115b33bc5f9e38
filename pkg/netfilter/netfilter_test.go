package netfilter_test

import (
	"strings"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/netfilter"
)

const saved = `*filter
:INPUT ACCEPT [0:0]
:DOCKER - [0:0]
[3:180] -A INPUT -p tcp -j ACCEPT
[0:0] -A FORWARD -j DOCKER
COMMIT
`

// recorder lets a host be changed.
type recorder struct{}

func (recorder) File(string, host.FileState, []byte) error { return nil }
func (recorder) Undo([]string) error                       { return nil }

func TestPrune(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	rules := saved
	m.Programs["iptables-save"] = func([]string, string) (string, error) { return rules, nil }
	m.Programs["iptables-restore"] = func(_ []string, text string) (string, error) { rules = text; return "", nil }
	m.Programs["ip6tables-save"] = func([]string, string) (string, error) {
		return "", &hosttest.Exit{Code: 3, Stderr: "no such table"}
	}
	docker := func(words []string) bool {
		return netfilter.Chain(words) == "DOCKER" || netfilter.Value(words, "-j") == "DOCKER"
	}
	for range 2 {
		if err := netfilter.Prune(t.Context(), h.With(recorder{}), docker); err != nil {
			t.Fatal(err)
		}
	}
	if want := "*filter\n:INPUT ACCEPT [0:0]\n[3:180] -A INPUT -p tcp -j ACCEPT\nCOMMIT\n"; rules != want {
		t.Errorf("left:\n%s", rules)
	}
	restored := 0
	for _, c := range m.Calls() {
		if strings.Contains(c, "restore") {
			restored++
		}
	}
	if restored != 1 {
		t.Errorf("rules were written %d times", restored)
	}
	m.Programs["iptables-save"] = func([]string, string) (string, error) { return "", &hosttest.Exit{Code: 4, Stderr: "xtables lock"} }
	if err := netfilter.Prune(t.Context(), h.With(recorder{}), docker); err == nil {
		t.Error("rules that cannot be read are no error")
	}
}
