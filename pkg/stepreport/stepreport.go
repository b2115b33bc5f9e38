// Package stepreport turns the events of steps into progress.
package stepreport

import (
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Reporter reports the events of steps and records which steps changed something.
// Not for concurrent use.
type Reporter struct {
	report  progress.Func
	number  map[string]int
	now     func() time.Time
	began   time.Time
	changed []string
	doing   []string           // what the current step changes
	warned  map[[2]string]bool // step and text: a step is checked more than once
}

// New returns a Reporter for steps of these names, in this order.
func New(report progress.Func, names []string, now func() time.Time) *Reporter {
	r := &Reporter{report: report, number: map[string]int{}, now: now, warned: map[[2]string]bool{}}
	for i, name := range names {
		r.number[name] = i + 1
	}
	return r
}

// Changed are the names of the steps that were applied.
func (r *Reporter) Changed() []string { return r.changed }

// Names are the names of steps.
func Names(steps []step.Step) []string {
	var names []string
	for _, s := range steps {
		names = append(names, s.Name())
	}
	return names
}

// stage is a step's position in the plan: "3/15".
func (r *Reporter) stage(name string) string {
	return fmt.Sprintf("%d/%d", r.number[name], len(r.number))
}

// Event reports an event of step.Run or step.Reset.
func (r *Reporter) Event(e step.Event) {
	stage := r.stage(e.Step)
	for _, w := range e.Status.Warnings {
		r.Warn(e.Step, w)
	}
	switch e.Phase {
	case step.Checked:
		if e.Status.State == step.Done {
			r.report.Report(progress.Event{Kind: progress.Note, Stage: stage, Task: e.Step, Text: "ok"})
		}
	case step.Applying:
		r.began, r.doing = r.now(), summary(e.Status)
		r.report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: e.Step, Total: progress.Unsized, Text: strings.Join(r.doing, "; ")})
	case step.Undoing:
		r.began = r.now()
		r.report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: e.Step, Total: progress.Unsized})
	case step.Applied:
		r.changed = append(r.changed, e.Step)
		r.done(stage, e.Step, "done")
	case step.Undone:
		r.done(stage, e.Step, "restored")
	case step.Failed:
		// The error itself is reported once, at the end.
		r.report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: e.Step, Text: "stopped here"})
	}
}

// Warn reports a warning about a step or a check, once.
func (r *Reporter) Warn(task, text string) {
	if key := [2]string{task, text}; !r.warned[key] {
		r.warned[key] = true
		r.report.Report(progress.Event{Kind: progress.Warn, Task: task, Text: text})
	}
}

func (r *Reporter) done(stage, name, text string) {
	if took := r.now().Sub(r.began).Round(100 * time.Millisecond); took >= time.Second {
		text += fmt.Sprintf(" (%s)", took)
	}
	r.report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: name, Text: text})
}

// summary lists briefly what a step is about to change.
func summary(s step.Status) []string {
	const most = 4
	said := append([]string{}, s.What...)
	for _, d := range s.Diffs {
		verb := "change"
		switch {
		case d.Before == "":
			verb = "write"
		case d.After == "":
			verb = "remove"
		}
		said = append(said, verb+" "+d.Path)
	}
	if more := len(said) - most; more > 0 {
		said = append(said[:most], fmt.Sprintf("and %d more", more))
	}
	return said
}
