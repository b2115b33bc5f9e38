package install

import (
	"slices"
	"testing"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// TestWarnedOnce: a step is checked before and after it is applied, and what it
// warns of is told once; a warning of preflight is told with what helps.
func TestWarnedOnce(t *testing.T) {
	t.Parallel()
	var said []string
	tell := newReporter(func(e progress.Event) {
		if e.Kind == progress.Warn {
			said = append(said, e.Task+": "+e.Text)
		}
	}, nil, time.Now)
	tell.checks(&preflight.Result{Role: manifest.Master, Checks: []preflight.Check{
		{Name: "proxy", State: preflight.Warning, Message: "the shell has a proxy", Hint: "unset https_proxy"},
		{Name: "cpus", State: preflight.OK, Message: "2 CPUs"},
	}})
	for _, phase := range []step.Phase{step.Checked, step.Applying, step.Applied} {
		tell.event(step.Event{Step: "sysctl", Phase: phase, Status: step.Status{State: step.Done, Warnings: []string{"a line counts again"}}})
		tell.event(step.Event{Step: "ticket", Phase: phase, Status: step.Status{State: step.Done, Warnings: []string{"the stick is read-only"}}})
	}
	tell.event(step.Event{Step: "ticket", Phase: step.Applied, Status: step.Status{State: step.Done, Warnings: []string{"another one"}}})
	want := []string{
		"proxy: the shell has a proxy (hint: unset https_proxy)", "sysctl: a line counts again", "ticket: the stick is read-only", "ticket: another one",
	}
	if !slices.Equal(said, want) {
		t.Errorf("it said %q, want %q", said, want)
	}
}
