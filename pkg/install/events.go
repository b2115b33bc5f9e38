package install

import (
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// teller turns the events of steps into progress, and counts what was changed.
type teller struct {
	report  progress.Func
	number  map[string]int
	now     func() time.Time
	began   time.Time
	changed []string
	doing   []string           // what the step at work changes
	warned  map[[2]string]bool // step and text: a step is checked more than once
}

func newTeller(report progress.Func, steps []step.Step, now func() time.Time) *teller {
	t := &teller{report: report, number: map[string]int{}, now: now, warned: map[[2]string]bool{}}
	for i, s := range steps {
		t.number[s.Name()] = i + 1
	}
	return t
}

// stage is where a step stands in the plan: "3/15".
func (t *teller) stage(name string) string {
	return fmt.Sprintf("%d/%d", t.number[name], len(t.number))
}

// event is for step.Run and step.Reset.
func (t *teller) event(e step.Event) {
	stage := t.stage(e.Step)
	for _, w := range e.Status.Warnings {
		t.warn(e.Step, w)
	}
	switch e.Phase {
	case step.Checked:
		if e.Status.State == step.Done {
			t.report.Report(progress.Event{Kind: progress.Note, Stage: stage, Task: e.Step, Text: "as it should be"})
		}
	case step.Applying:
		t.began, t.doing = t.now(), summary(e.Status)
		t.report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: e.Step, Total: progress.Unsized, Text: strings.Join(t.doing, "; ")})
	case step.Undoing:
		t.began = t.now()
		t.report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: e.Step, Total: progress.Unsized})
	case step.Applied:
		t.changed = append(t.changed, e.Step)
		t.done(stage, e.Step, "done")
	case step.Undone:
		t.done(stage, e.Step, "as it was before")
	case step.Failed:
		// The error itself is told once, at the end.
		t.report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: e.Step, Text: "stopped here"})
	}
}

// warn tells a warning about a step or a check, once.
func (t *teller) warn(task, text string) {
	if key := [2]string{task, text}; !t.warned[key] {
		t.warned[key] = true
		t.report.Report(progress.Event{Kind: progress.Warn, Task: task, Text: text})
	}
}

// checks tells what preflight warns of, which does not stop an installation.
func (t *teller) checks(r *preflight.Result) {
	for _, c := range r.Of(preflight.Warning) {
		text := c.Message
		if c.Hint != "" {
			text += " (hint: " + c.Hint + ")"
		}
		t.warn(c.Name, text)
	}
}

func (t *teller) done(stage, name, text string) {
	if took := t.now().Sub(t.began).Round(100 * time.Millisecond); took >= time.Second {
		text += fmt.Sprintf(" (%s)", took)
	}
	t.report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: name, Text: text})
}

// summary says in a few sentences what a step is about to change.
func summary(s step.Status) []string {
	const most = 4
	said := append([]string{}, s.What...)
	for _, d := range s.Diffs {
		verb := "changes"
		switch {
		case d.Before == "":
			verb = "is written"
		case d.After == "":
			verb = "is removed"
		}
		said = append(said, d.Path+" "+verb)
	}
	if more := len(said) - most; more > 0 {
		said = append(said[:most], fmt.Sprintf("and %d more", more))
	}
	return said
}
