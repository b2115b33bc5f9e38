package step_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

// TestResetFailure: where an undo fails, the steps begun earlier stay, because it
// may need them, unless it is an independent one; the next reset does the rest.
func TestResetFailure(t *testing.T) {
	t.Parallel()
	for _, independent := range []bool{false, true} {
		h, m, steps := made(t)
		before := m.State(t)
		kinds := of(steps)
		if independent {
			kinds = kinds.Independent()
		}
		if err := step.Run(t.Context(), h, journal(t, h), kinds, steps, ignore); err != nil {
			t.Fatal(err)
		}
		m.OnCall = func(line string) error {
			if line == "systemctl start two" {
				return fmt.Errorf("%s: no", line)
			}
			return nil
		}
		err := step.Reset(t.Context(), h, journal(t, h), kinds, ignore)
		if err == nil || !strings.Contains(err.Error(), "cannot undo step second") {
			t.Errorf("reset: %v", err)
		}
		if held := strings.Contains(fmt.Sprint(err), "not undone until step second is: first"); held == independent {
			t.Errorf("independent %v: %v", independent, err)
		}
		if undone := m.Units["one"].Active && !strings.Contains(m.Read(t, "/etc/fstab"), "# one"); undone != independent || m.Read(t, "/etc/new/file") != "" {
			t.Errorf("independent %v, step first undone %v:\n%s", independent, undone, m.State(t))
		}
		m.OnCall = nil
		if err := step.Reset(t.Context(), h, journal(t, h), kinds, ignore); err != nil || m.State(t) != before {
			t.Errorf("after the second reset: %v\n%s", err, m.State(t))
		}
	}
}

// needy is a step whose own undo fails while why is set; it needs the file that it
// wrote.
type needy struct {
	lines
	why *error
}

func (s needy) Undo(_ context.Context, h *host.Host) error {
	if text, err := h.Text(s.path); err != nil || !strings.Contains(text, s.line) {
		return fmt.Errorf("%s is lost: %w", s.path, err)
	}
	return *s.why
}

// TestUndoFailure: the files of a step stay as long as its own undo fails.
func TestUndoFailure(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	why := errors.New("busy")
	s := []step.Step{needy{steps[0].(lines), &why}}
	if err := step.Run(t.Context(), h, journal(t, h), of(s), s, ignore); err != nil {
		t.Fatal(err)
	}
	after := m.State(t)
	if err := step.Reset(t.Context(), h, journal(t, h), of(s), ignore); !errors.Is(err, why) || m.State(t) != after {
		t.Errorf("%v\n%s", err, m.State(t))
	}
	why = nil
	if err := step.Reset(t.Context(), h, journal(t, h), of(s), ignore); err != nil || m.State(t) != before {
		t.Errorf("the second reset: %v\n%s", err, m.State(t))
	}
}

// enabler is a step that turns a unit on.
type enabler struct{ stubborn }

func (enabler) Check(ctx context.Context, h *host.Host) (st step.Status, err error) {
	u, err := h.Unit(ctx, "off")
	if !u.Active || !u.Starts() {
		st.Todo("off runs")
	}
	return st, err
}

func (enabler) Apply(ctx context.Context, h *host.Host) error { return h.Enable(ctx, "off") }

// TestUnitIsGone: a unit that is gone needs no turning off, and one that is gone
// and still runs does.
func TestUnitIsGone(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Units["off"] = &hosttest.Unit{}
	s := []step.Step{enabler{}}
	if err := step.Run(t.Context(), h, journal(t, h), of(s), s, ignore); err != nil {
		t.Fatal(err)
	}
	delete(m.Units, "off")
	inner, active := m.Builtin("systemctl"), "active"
	m.Programs["systemctl"] = func(args []string, stdin string) (string, error) {
		out, err := inner(args, stdin)
		return strings.Replace(out, "ActiveState=inactive", "ActiveState="+active, 1), err
	}
	if err := step.Reset(t.Context(), h, journal(t, h), of(s), ignore); err == nil || journal(t, h).Empty() {
		t.Errorf("it runs: %v", err)
	}
	active = "inactive"
	if err := step.Reset(t.Context(), h, journal(t, h), of(s), ignore); err != nil || !journal(t, h).Empty() {
		t.Errorf("it does not run: %v", err)
	}
}

// TestRestartedUnitIsGone: a service whose package somebody removed is not restarted
// when its file is restored, and holds nothing back.
func TestRestartedUnitIsGone(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Units["off"] = &hosttest.Unit{Active: true, Enabled: true}
	m.Write(t, "/etc/off.conf", "before\n")
	s := []step.Step{&once{configurer{}, 0}}
	if err := step.Run(t.Context(), h, journal(t, h), of(s), s, ignore); err != nil {
		t.Fatal(err)
	}
	delete(m.Units, "off")
	if err := step.Reset(t.Context(), h, journal(t, h), of(s), ignore); err != nil || !journal(t, h).Empty() || m.Read(t, "/etc/off.conf") != "before\n" {
		t.Errorf("it is gone: %v, %q", err, m.Read(t, "/etc/off.conf"))
	}
}

// configurer is a step that changes the configuration of a running service.
type configurer struct{ stubborn }

func (configurer) Check(context.Context, *host.Host) (st step.Status, err error) {
	st.Todo("off is configured")
	return st, nil
}

func (configurer) Apply(ctx context.Context, h *host.Host) error {
	return host.Service{Unit: "off", Files: []host.ServiceFile{{Path: "/etc/off.conf", Before: "before\n", After: "after\n"}}}.Apply(ctx, h)
}
