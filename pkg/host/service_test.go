package host_test

import (
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
)

// TestService: what is done to a unit and what is recorded to undo it, in order.
func TestService(t *testing.T) {
	t.Parallel()
	const file = "/etc/u.conf"
	for _, c := range []struct {
		name       string
		unit       hosttest.Unit
		before     string
		stale      bool
		defined    bool
		want, undo string
	}{
		{"new", hosttest.Unit{}, "", false, false, "reset-failed u|enable u|start u", "file|systemctl stop with|systemctl disable u|systemctl stop u"},
		{"its own unit", hosttest.Unit{}, "", false, true, "daemon-reload|reset-failed u|enable u|start u", "systemctl daemon-reload|file|systemctl stop with|systemctl disable u|systemctl stop u"},
		{"runs as it is to", hosttest.Unit{Enabled: true, Active: true}, "want", false, false, "", ""},
		{"runs, own unit read again", hosttest.Unit{Enabled: true, Active: true}, "want", false, true, "daemon-reload", ""},
		{"runs with another file", hosttest.Unit{Enabled: true, Active: true}, "old", false, false, "reset-failed u|restart u", "systemctl restart u|file"},
		{"runs, and not as its file says", hosttest.Unit{Enabled: true, Active: true}, "want", true, false, "reset-failed u|restart u", "systemctl restart u"},
		{"own unit changed", hosttest.Unit{Enabled: true, Active: true}, "old", false, true, "daemon-reload|reset-failed u|restart u", "systemctl restart u|systemctl daemon-reload|file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, m := hosttest.New(t)
			unit := c.unit
			m.Units["u"], m.Units["with"] = &unit, &hosttest.Unit{}
			if c.before != "" {
				m.Write(t, file, c.before)
			}
			var done []string
			systemctl := m.Builtin("systemctl")
			m.Programs["systemctl"] = func(args []string, in string) (string, error) {
				if args[0] != "show" {
					done = append(done, strings.Join(args, " "))
				}
				if args[0] == "reset-failed" {
					return "", &hosttest.Exit{Code: 1} // it never ran
				}
				return systemctl(args, in)
			}
			r := &order{}
			s := host.Service{Unit: "u", With: []string{"with"}, Files: []host.ServiceFile{{Path: file, Before: c.before, After: "want"}}, Stale: c.stale, Defined: c.defined}
			if err := s.Apply(t.Context(), h.With(r)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(done, "|"); got != c.want {
				t.Errorf("done %q, want %q", got, c.want)
			}
			if got := strings.Join(r.list, "|"); got != c.undo {
				t.Errorf("recorded %q, want %q", got, c.undo)
			}
			if got := m.Read(t, file); got != "want" || !unit.Active || !unit.Enabled {
				t.Errorf("it is %+v with %q", unit, got)
			}
		})
	}
}

// TestServiceFails: the error says what the service itself said.
func TestServiceFails(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Units["u"] = &hosttest.Unit{}
	systemctl := m.Builtin("systemctl")
	m.Programs["systemctl"] = func(args []string, in string) (string, error) {
		if args[0] == "start" {
			return "", &hosttest.Exit{Code: 1, Stderr: "see journalctl"}
		}
		return systemctl(args, in)
	}
	m.Programs["journalctl"] = func([]string, string) (string, error) { return "a wrong line", nil }
	err := host.Service{Unit: "u"}.Apply(t.Context(), h.With(&tape{}))
	if err == nil || !strings.Contains(err.Error(), "cannot start u") || !strings.Contains(err.Error(), "a wrong line") || !strings.Contains(hint.Of(err), "journalctl --unit=u") {
		t.Errorf("%v; %s", err, hint.Of(err))
	}
}

// order is a recorder that keeps what it is told in order.
type order struct{ list []string }

func (o *order) File(string, host.FileState, []byte) error {
	o.list = append(o.list, "file")
	return nil
}

func (o *order) Undo(argv []string) error {
	o.list = append(o.list, strings.Join(argv, " "))
	return nil
}
