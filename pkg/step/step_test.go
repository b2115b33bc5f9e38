package step_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

// lines is a step that appends a line to a file, and turns a unit off.
type lines struct{ name, path, line, unit string }

func (s lines) Name() string { return s.name }

func (s lines) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	var st step.Status
	text, err := h.Text(s.path)
	if err != nil {
		return st, err
	}
	if !strings.Contains(text, s.line) {
		st.File(s.path, text, text+s.line+"\n")
	}
	u, err := h.Unit(ctx, s.unit)
	if u.Active || u.Starts() {
		st.Todo("%s is turned off", s.unit)
	}
	return st, err
}

func (s lines) Apply(ctx context.Context, h *host.Host) error {
	text, err := h.Text(s.path)
	if err != nil {
		return err
	}
	if !strings.Contains(text, s.line) {
		if err := h.WriteFile(s.path, []byte(text+s.line+"\n"), host.FileMode); err != nil {
			return err
		}
	}
	return h.Disable(ctx, s.unit)
}

// made is a host with two steps to do.
func made(t *testing.T) (*host.Host, *hosttest.Machine, []step.Step) {
	t.Helper()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/fstab", "/dev/sda1 / xfs defaults 0 0\n")
	m.Units["one"] = &hosttest.Unit{Enabled: true, Active: true}
	m.Units["two"] = &hosttest.Unit{Active: true}
	return h, m, []step.Step{
		lines{"first", "/etc/fstab", "# one", "one"},
		lines{"second", "/etc/fstab", "# two", "two"},
		lines{"third", "/etc/new/file", "# three", "none"},
	}
}

func journal(t *testing.T, h *host.Host) *step.Journal {
	t.Helper()
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return j
}

func ignore(step.Event) {}

// of is a table of the kinds of steps.
func of(steps []step.Step) step.Kinds { return step.Plain(steps...) }

func TestRunAndReset(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	plan, err := step.Plan(t.Context(), h, steps)
	if err != nil || len(plan) != 3 || plan[0].Status.State != step.ToDo || len(plan[0].Status.Diffs) != 1 {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	if m.State(t) != before {
		t.Error("a plan changed something")
	}
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	after := m.State(t)
	if !strings.Contains(after, `# one\n# two\n`) || !strings.Contains(after, "unit one {Enabled:false Active:false") {
		t.Errorf("not done:\n%s", after)
	}
	var phases []string
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, func(e step.Event) { phases = append(phases, string(e.Phase)) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(phases, " "); got != "checked checked checked" || m.State(t) != after {
		t.Errorf("run again: %s, and now\n%s", got, m.State(t))
	}
	reset(t, h, steps)
	if m.State(t) != before {
		t.Errorf("after reset:\n%s\nwant:\n%s", m.State(t), before)
	}
	if !journal(t, h).Empty() {
		t.Error("the journal is not empty after a reset")
	}
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil || m.State(t) != after {
		t.Errorf("installed again: %v\n%s", err, m.State(t))
	}
}

func reset(t *testing.T, h *host.Host, steps []step.Step) {
	t.Helper()
	if err := step.Reset(t.Context(), h, journal(t, h), of(steps), ignore); err != nil {
		t.Fatal(err)
	}
}

var errKilled = errors.New("killed")

// TestKilled ends a run before every call in turn: the same run then goes on to
// the end, and a reset, from there or at once, leads back.
func TestKilled(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		for _, finish := range []bool{true, false} {
			h, m, steps := made(t)
			before := m.State(t)
			calls := 0
			m.OnCall = func(string) error {
				if calls++; calls > at {
					return errKilled
				}
				return nil
			}
			err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore)
			m.OnCall = nil
			if err == nil {
				if at < 8 {
					t.Fatalf("only %d calls", at)
				}
				return
			}
			if !errors.Is(err, errKilled) {
				t.Fatalf("killed at %d: %v", at, err)
			}
			if finish {
				if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
					t.Fatalf("run again after a kill at %d: %v", at, err)
				}
			}
			reset(t, h, steps)
			if m.State(t) != before {
				t.Errorf("killed at %d, finished %v: after reset\n%s\nwant\n%s", at, finish, m.State(t), before)
			}
		}
	}
}

// TestTornJournal: a record that was being written when the power went.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	path := h.Path(step.Dir + "/journal.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"step":"third","fi`...), 0o600); err != nil {
		t.Fatal(err)
	}
	reset(t, h, steps)
	if m.State(t) != before {
		t.Errorf("after reset:\n%s", m.State(t))
	}
	if err := os.WriteFile(path, append([]byte("nonsense\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := step.OpenJournal(h); err == nil || !strings.Contains(err.Error(), "line 1") || hint.Of(err) == "" {
		t.Errorf("a journal that is damaged: %v", err)
	}
}

// TestFullDisk: a record that did not fit on the disk does not damage the journal for
// those that do fit after it, as when a reset frees space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	j, writes := journal(t, h), 0
	j.Full(func() bool { writes++; return writes == 1 })
	if err := step.Reset(t.Context(), h, j, of(steps).Independent(), ignore); !errors.Is(err, syscall.ENOSPC) || writes < 3 {
		t.Errorf("a reset on a full disk: %v, after %d writes", err, writes)
	}
	reset(t, h, steps)
	if m.State(t) != before || !journal(t, h).Empty() {
		t.Errorf("after reset:\n%s\nwant:\n%s", m.State(t), before)
	}
}

// TestChangedSince: what a person wrote between install and reset is kept.
func TestChangedSince(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	before := m.State(t)
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	m.Write(t, "/etc/fstab", "by hand\n")
	var warned []string
	err := step.Reset(t.Context(), h, journal(t, h), of(steps), func(e step.Event) { warned = append(warned, e.Status.Warnings...) })
	if err != nil || m.State(t) != before {
		t.Errorf("reset: %v\n%s", err, m.State(t))
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "/etc/fstab") {
		t.Fatalf("warnings: %v", warned)
	}
	_, kept, _ := strings.Cut(warned[0], "is saved in ")
	if m.Read(t, kept) != "by hand\n" {
		t.Errorf("%s holds %q", kept, m.Read(t, kept))
	}
}

// stubborn is a step of which nothing comes.
type stubborn struct{ status step.Status }

func (stubborn) Name() string                                             { return "stubborn" }
func (s stubborn) Check(context.Context, *host.Host) (step.Status, error) { return s.status, nil }
func (stubborn) Apply(context.Context, *host.Host) error                  { return nil }

func TestFailures(t *testing.T) {
	t.Parallel()
	h, _, _ := made(t)
	for _, c := range []struct {
		status     step.Status
		says, hint string
	}{
		{step.Cannot("yum install swap", "%s is missing", "swap"), "cannot apply step stubborn: swap is missing", "yum install swap"},
		{step.Status{State: step.ToDo, What: []string{"set x"}}, "step stubborn had no effect; still to do: set x", ""},
	} {
		err := step.Run(t.Context(), h, journal(t, h), of([]step.Step{stubborn{c.status}}), []step.Step{stubborn{c.status}}, ignore)
		if err == nil || !strings.Contains(err.Error(), c.says) || hint.Of(err) != c.hint {
			t.Errorf("%v (hint %q), want %s (%s)", err, hint.Of(err), c.says, c.hint)
		}
	}
}

// blind is a step whose check fails.
type blind struct{ stubborn }

func (blind) Check(context.Context, *host.Host) (step.Status, error) {
	return step.Status{}, hint.With(errors.New("no such program"), "yum install it")
}

// TestPlanGoesOn: what cannot be seen is no reason to hide the rest.
func TestPlanGoesOn(t *testing.T) {
	t.Parallel()
	h, _, steps := made(t)
	plan, err := step.Plan(t.Context(), h, []step.Step{blind{}, steps[0], blind{}})
	if err != nil || len(plan) != 3 {
		t.Fatalf("%v, %v", plan, err)
	}
	states := []step.State{plan[0].Status.State, plan[1].Status.State, plan[2].Status.State}
	if states[0] != step.Unknown || states[1] != step.ToDo || states[2] != step.Later || plan[0].Status.Hint != "yum install it" {
		t.Errorf("%v, hint %q", states, plan[0].Status.Hint)
	}
}

// TestForget: what is forgotten stays when the rest is undone.
func TestForget(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	if err := step.Run(t.Context(), h, journal(t, h), of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	j := journal(t, h)
	if err := j.Forget("third"); err != nil {
		t.Fatal(err)
	}
	if err := step.Reset(t.Context(), h, j, of(steps), ignore); err != nil {
		t.Fatal(err)
	}
	if got := m.Read(t, "/etc/new/file"); got != "# three\n" || m.Units["one"].Active == false || !j.Empty() {
		t.Errorf("the file holds %q, %s", got, m.State(t))
	}
}

// messy is a step that can be cleaned up after only when its unit is as before.
type messy struct {
	lines
	cleaned *[]string
}

func (s messy) Clean(ctx context.Context, h *host.Host) error {
	u, err := h.Unit(ctx, s.unit)
	*s.cleaned = append(*s.cleaned, fmt.Sprint(s.name, " while active: ", u.Active))
	return errors.Join(err, h.Remove("/run/mess"))
}

func TestClean(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	var cleaned []string
	s := messy{steps[0].(lines), &cleaned}
	if err := step.Run(t.Context(), h, journal(t, h), of([]step.Step{s}), []step.Step{s}, ignore); err != nil {
		t.Fatal(err)
	}
	m.Write(t, "/run/mess", "x")
	for range 2 { // a second reset may fix what the first one could not
		reset(t, h, []step.Step{s})
	}
	if got := strings.Join(cleaned, ", "); got != "first while active: true, first while active: true" || m.Read(t, "/run/mess") != "" {
		t.Errorf("cleaned: %s", got)
	}
}

// TestSyncedBefore: what takes a change back is on the disk before the change,
// not only written.
func TestSyncedBefore(t *testing.T) {
	t.Parallel()
	h, m, steps := made(t)
	j := journal(t, h)
	var order []string
	j.Watch(func(what string) { order = append(order, what) })
	m.OnCall = func(line string) error {
		if !strings.Contains(line, " show ") {
			order = append(order, line)
		}
		return nil
	}
	if err := step.Run(t.Context(), h, j, of(steps), steps, ignore); err != nil {
		t.Fatal(err)
	}
	changes := 0
	for i, what := range order {
		switch {
		case what == "write" && (i+1 == len(order) || order[i+1] != "sync"):
			t.Errorf("what follows a record is no sync: %v", order[i:])
		case strings.HasPrefix(what, "systemctl "):
			if changes++; i < 2 || order[i-1] != "sync" && !strings.HasPrefix(order[i-1], "systemctl ") {
				t.Errorf("before %s: %v", what, order[:i])
			}
		}
	}
	if changes < 3 {
		t.Errorf("%d changes in %v", changes, order)
	}
}

// sets is a step that sets one thing twice: its commands only lead back in
// reverse.
type sets struct{ step.Step }

func (sets) Name() string { return "sets" }

func (sets) Check(context.Context, *host.Host) (st step.Status, err error) {
	st.Todo("set")
	return st, nil
}

func (sets) Apply(ctx context.Context, h *host.Host) error {
	for _, v := range []string{"1", "2"} {
		before := map[string]string{"1": "0", "2": "1"}[v]
		if err := h.Change(ctx, host.Command("hostname", v), []string{"hostname", before}); err != nil {
			return err
		}
	}
	return nil
}

func TestUndoneInReverse(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/proc/sys/kernel/hostname", "0\n")
	if err := step.Run(t.Context(), h, journal(t, h), of([]step.Step{sets{}}), []step.Step{&once{sets{}, 0}}, ignore); err != nil {
		t.Fatal(err)
	}
	if got := m.Read(t, "/proc/sys/kernel/hostname"); got != "2\n" {
		t.Fatalf("set to %q", got)
	}
	reset(t, h, []step.Step{sets{}})
	if got := m.Read(t, "/proc/sys/kernel/hostname"); got != "0\n" {
		t.Errorf("undone to %q", got)
	}
}

// once is to be done until it was applied.
type once struct {
	step.Step
	applied int
}

func (o *once) Check(ctx context.Context, h *host.Host) (step.Status, error) {
	if o.applied > 0 {
		return step.Status{State: step.Done}, nil
	}
	return o.Step.Check(ctx, h)
}

func (o *once) Apply(ctx context.Context, h *host.Host) error {
	o.applied++
	return o.Step.Apply(ctx, h)
}
