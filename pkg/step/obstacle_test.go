package step_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/host/hosttest"
	"kubecrate/pkg/step"
)

// writer is a step that gives a file a content, after it has read it.
type writer struct{ path string }

func (w writer) Name() string { return "writer of " + w.path }

func (w writer) Check(_ context.Context, h *host.Host) (st step.Status, err error) {
	text, err := h.Text(w.path)
	st.File(w.path, text, "new")
	return st, err
}

func (w writer) Apply(_ context.Context, h *host.Host) error {
	return h.WriteFile(w.path, []byte("new"), host.FileMode)
}

// TestObstacle: what would keep a step from writing its files is in the plan,
// and stops before anything is changed.
func TestObstacle(t *testing.T) {
	t.Parallel()
	h, m := hosttest.New(t)
	m.Write(t, "/etc/free", "old", "/etc/plain", "")
	if err := os.Symlink("/gone/file", h.Path("/etc/lost")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.Path("/etc/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	steps := []step.Step{writer{"/etc/free"}, writer{"/etc/lost"}, writer{"/etc/dir"}, writer{"/etc/new"}}
	plan, err := step.Plan(t.Context(), h, steps)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		state      step.State
		says, hint string
	}{
		{step.ToDo, "", ""}, {step.Impossible, "/etc/lost is a link to /gone/file, which does not exist", "rm /etc/lost"},
		{step.Later, "/etc/dir is a directory, but must be a file", ""}, {step.ToDo, "", ""},
	} {
		got := plan[i].Status
		if got.State != want.state || !strings.Contains(strings.Join(got.What, "\n"), want.says) || !strings.Contains(got.Hint, want.hint) {
			t.Errorf("%s: %+v, want %+v", plan[i].Step, got, want)
		}
	}
	j, err := step.OpenJournal(h)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, s := range steps[1:3] {
		err := step.Run(t.Context(), h, j, of([]step.Step{s}), []step.Step{s}, func(step.Event) {})
		if err == nil || hint.Of(err) == "" || !j.Empty() {
			t.Errorf("%s: %v (hint %q), or something was changed", s.Name(), err, hint.Of(err))
		}
	}
}
