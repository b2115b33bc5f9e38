// Package progress turns what the stages report into bars on a terminal,
// plain lines in a pipe or JSON, one event a line.
package progress

import "kubecrate/pkg/visible"

// Kind says what an Event reports.
type Kind string

// The life of a task: Start, any number of Advance, then Done, Failed, or
// Stopped where nothing is wrong with it but nobody wants it any more. Note and
// Warn are lines of their own and belong to no task.
const (
	Start   Kind = "start"
	Advance Kind = "advance"
	Done    Kind = "done"
	Failed  Kind = "failed"
	Stopped Kind = "stopped"
	Note    Kind = "note"
	Warn    Kind = "warn"
)

// Event is one report. Task names the thing worked on and is unique within a
// stage ("k8s.gcr.io/pause:3.1", "kubelet-1.17.4-0.x86_64"). Done and Total
// are bytes, Total is -1 or 0 where it is unknown, and Unsized in the Start of a
// task that counts no bytes: when that is done, its Text is worth a line.
type Event struct {
	Kind  Kind   `json:"kind"`
	Stage string `json:"stage,omitempty"`
	Task  string `json:"task,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // Advance: bytes since the last Advance; Done: all bytes
	Total int64  `json:"total,omitempty"`
	Text  string `json:"text,omitempty"`
}

// clean is e without what could begin a line of its own or move the cursor.
func (e Event) clean() Event {
	e.Stage, e.Task, e.Text = visible.Line(e.Stage), visible.Line(e.Task), visible.Line(e.Text)
	return e
}

// Unsized is the Total of a task that counts no bytes.
const Unsized = -2

// Func receives events; it is called from several goroutines at once and must
// not block for long. A nil Func is silent, see Report.
type Func func(Event)

// Report calls f unless it is nil.
func (f Func) Report(e Event) {
	if f != nil {
		f(e)
	}
}
