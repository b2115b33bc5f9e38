package stepreport

import (
	"slices"
	"testing"
	"time"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// TestWarnedOnce: a step is checked before and after it is applied, and what it
// warns of is reported once.
func TestWarnedOnce(t *testing.T) {
	t.Parallel()
	var said []string
	tell := New(func(e progress.Event) {
		if e.Kind == progress.Warn {
			said = append(said, e.Task+": "+e.Text)
		}
	}, nil, time.Now)
	tell.Warn("proxy", "the shell has a proxy")
	for _, phase := range []step.Phase{step.Checked, step.Applying, step.Applied} {
		tell.Event(step.Event{Step: "sysctl", Phase: phase, Status: step.Status{State: step.Done, Warnings: []string{"a line counts again"}}})
		tell.Event(step.Event{Step: "ticket", Phase: phase, Status: step.Status{State: step.Done, Warnings: []string{"the stick is read-only"}}})
	}
	tell.Event(step.Event{Step: "ticket", Phase: step.Applied, Status: step.Status{State: step.Done, Warnings: []string{"another one"}}})
	want := []string{
		"proxy: the shell has a proxy", "sysctl: a line counts again", "ticket: the stick is read-only", "ticket: another one",
	}
	if !slices.Equal(said, want) {
		t.Errorf("it said %q, want %q", said, want)
	}
}

// TestEvents: what a step does is a line with its place in the plan, and what was
// applied is counted.
func TestEvents(t *testing.T) {
	t.Parallel()
	var said []string
	clock := time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC)
	r := New(func(e progress.Event) { said = append(said, string(e.Kind)+" "+e.Stage+" "+e.Task+": "+e.Text) }, []string{"swap", "hosts"}, func() time.Time { return clock })
	todo := step.Status{State: step.ToDo, What: []string{"a", "b", "c"}, Diffs: []step.Diff{{Path: "/x", After: "new"}, {Path: "/y", Before: "old"}, {Path: "/z", Before: "old", After: "new"}}}
	for _, e := range []step.Event{
		{Step: "swap", Phase: step.Checked, Status: step.Status{State: step.Done}},
		{Step: "hosts", Phase: step.Applying, Status: todo},
		{Step: "hosts", Phase: step.Applied},
		{Step: "hosts", Phase: step.Undoing},
		{Step: "hosts", Phase: step.Undone},
		{Step: "swap", Phase: step.Failed},
	} {
		r.Event(e)
		clock = clock.Add(1500 * time.Millisecond)
	}
	want := []string{
		"note 1/2 swap: ok", "start 2/2 hosts: a; b; c; write /x; and 2 more", "done 2/2 hosts: done (1.5s)",
		"start 2/2 hosts: ", "done 2/2 hosts: restored (1.5s)", "failed 1/2 swap: stopped here",
	}
	if !slices.Equal(said, want) || !slices.Equal(r.Changed(), []string{"hosts"}) {
		t.Errorf("it said\n%q, want\n%q; changed %v", said, want, r.Changed())
	}
}
