package vip

import (
	"net/netip"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

func options(self string) Options {
	o := Options{
		VIP: manifest.VIP{Address: "192.168.4.100"}, Self: netip.MustParseAddr(self), Interface: "eth0", Port: "6443", Bundled: true,
	}
	for _, m := range []string{"192.168.4.11", "192.168.4.12", "192.168.4.13"} {
		o.Masters = append(o.Masters, netip.MustParseAddr(m))
	}
	return o
}

func TestConfig(t *testing.T) {
	t.Parallel()
	o := options("192.168.4.12")
	text := o.config()
	for _, want := range []string{
		"https://127.0.0.1:6443/healthz\"", "priority 99\n", "weight -50\n", "virtual_router_id 51\n", "interface eth0\n",
		"unicast_src_ip 192.168.4.12\n", "unicast_peer {\n        192.168.4.11\n        192.168.4.13\n    }\n", "192.168.4.100/32 dev eth0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if strings.Count(text, "{") != strings.Count(text, "}") {
		t.Errorf("braces:\n%s", text)
	}
	o.VIP.Interface, o.VIP.RouterID, o.Port = "bond0", 7, "8443"
	for _, want := range []string{"interface bond0\n", "dev bond0\n", "virtual_router_id 7\n", "127.0.0.1:8443/healthz"} {
		if text := o.config(); !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}

// TestPriority: a master that works is before every one that does not, whatever
// their order, and of two that do not the first has the address.
func TestPriority(t *testing.T) {
	t.Parallel()
	o := options("192.168.4.11")
	for i := range 120 {
		o.Masters = append(o.Masters, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}))
	}
	first := o.priority()
	o.Self = o.Masters[len(o.Masters)-1]
	if last := o.priority(); first != 100 || last <= first-penalty || last-penalty < 1 {
		t.Errorf("priorities from %d to %d", first, last)
	}
}

func TestKeepalived(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	s := Keepalived(options("192.168.4.11"))
	check := func() step.Status {
		t.Helper()
		st, err := s.Check(t.Context(), h.With(nil))
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	if st := check(); st.State != step.ToDo || len(st.Diffs) != 1 || len(st.What) != 2 {
		t.Errorf("before the packages: %+v", st)
	}
	o := options("192.168.4.11")
	o.Bundled = false
	if st, err := Keepalived(o).Check(t.Context(), h.With(nil)); err != nil || st.State != step.Impossible || !strings.Contains(st.Hint, "packages.roots") {
		t.Errorf("without a package: %+v, %v", st, err)
	}
	m.Units[unit] = &hosttest.Unit{}
	m.Write(t, file, "! the package's own\n")
	before := m.State(t)
	run := func() {
		t.Helper()
		j, err := step.OpenJournal(h)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if err := step.Run(t.Context(), h, j, Kinds(), []step.Step{s}, func(step.Event) {}); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if u := m.Units[unit]; !u.Active || !u.Enabled || check().State == step.ToDo {
		t.Errorf("applied: %+v", u)
	}
	calls := len(m.Calls())
	run()
	if changed := m.Calls()[calls:]; len(changed) > 1 || len(changed) == 1 && !strings.HasPrefix(changed[0], "systemctl show") {
		t.Errorf("run again: %v", changed)
	}
	o = options("192.168.4.11")
	o.VIP.RouterID = 9
	s = Keepalived(o)
	run()
	if calls := strings.Join(m.Calls(), "\n"); !strings.Contains(calls, "systemctl restart keepalived.service") {
		t.Errorf("another router: %s", calls)
	}
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := step.Reset(t.Context(), h, j, Kinds(), func(step.Event) {}); err != nil {
		t.Fatal(err)
	}
	if got := m.State(t); got != before {
		t.Errorf("undone:\n%s\nwant\n%s", got, before)
	}
	delete(m.Units, unit)
	if err := s.Apply(t.Context(), h.With(nil)); err == nil || !strings.Contains(err.Error(), "is not installed") {
		t.Errorf("not installed: %v", err)
	}
}
