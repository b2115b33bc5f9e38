package prep_test

import (
	"net/netip"
	"strings"
	"testing"

	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/step"
)

// routed lets the route be there while its unit is active.
func routed(m *hosttest.Machine) {
	m.Programs["ip"] = func(args []string, _ string) (string, error) {
		if u := m.Units["kubecrate-route.service"]; u != nil && u.Active {
			return strings.Join(args[3:], " ") + " scope link\n", nil
		}
		return "", nil
	}
}

func TestServiceRoute(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	routed(m)
	m.Units["kubecrate-route.service"] = &hosttest.Unit{} // as soon as its file is read
	before := m.State(t)
	s := prep.ServiceRoute(netip.MustParsePrefix("10.96.0.0/12"), "eth0")
	st, err := s.Check(t.Context(), h)
	if err != nil || st.State != step.ToDo || len(st.Diffs) != 1 || len(st.What) != 1 {
		t.Fatalf("to do: %+v, %v", st, err)
	}
	if err := apply(t, h, []step.Step{s}); err != nil {
		t.Fatal(err)
	}
	if text := m.Read(t, "/etc/systemd/system/kubecrate-route.service"); !strings.Contains(text, "ip route replace 10.96.0.0/12 dev eth0\n") {
		t.Errorf("the unit:\n%s", text)
	}
	if st, err := s.Check(t.Context(), h); err != nil || st.State == step.ToDo {
		t.Errorf("done: %+v, %v", st, err)
	}
	m.Units["kubecrate-route.service"].Active = false // as after a boot that failed
	if err := apply(t, h, []step.Step{s}); err != nil || !m.Units["kubecrate-route.service"].Active {
		t.Errorf("again: %v", err)
	}
	if err := step.Reset(t.Context(), h, journal(t, h), prep.All().Kinds(), func(step.Event) {}); err != nil {
		t.Fatal(err)
	}
	if got := m.State(t); got != before {
		t.Errorf("after reset:\n%s\nwant:\n%s", got, before)
	}
}
