// Package progress turns what the stages report into bars on a terminal,
// plain lines in a pipe or JSON, one event a line.
package progress

import (
	"fmt"

	"kubecrate/pkg/visible"
)

// Kind says what an Event reports.
type Kind string

// The life of a task: Start, any number of Advance, then Done, Failed, or
// Stopped where nothing is wrong with it but nobody wants it any more. Retry is
// said of a task when a try failed and another one follows. Note, Warn and Detail
// are lines of their own and belong to no task; a Detail is for --verbose. Expect
// says ahead how many tasks of a stage there will be (Of), and of how many bytes.
const (
	Start   Kind = "start"
	Advance Kind = "advance"
	Done    Kind = "done"
	Failed  Kind = "failed"
	Stopped Kind = "stopped"
	Note    Kind = "note"
	Warn    Kind = "warn"
	Retry   Kind = "retry"
	Detail  Kind = "detail"
	Expect  Kind = "expect"
)

// Event is one report. Task names the thing worked on and is unique within a
// stage ("k8s.gcr.io/pause:3.1", "kubelet-1.17.4-0.x86_64"). Bytes and Total
// are bytes, Total is -1 or 0 where it is unknown, and Unsized in the Start of a
// task that counts no bytes: when that is done, its Text is worth a line. A Retry
// has the number of the try that failed, how many there are at most, the host that
// was asked, and in Text why it failed.
type Event struct {
	Kind  Kind   `json:"kind"`
	Stage string `json:"stage,omitempty"`
	Task  string `json:"task,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // Start: bytes that are there already; Advance: since the last event; Done: all
	Total int64  `json:"total,omitempty"`
	Text  string `json:"text,omitempty"`
	Try   int    `json:"try,omitempty"`
	Of    int    `json:"of,omitempty"`
	Host  string `json:"host,omitempty"`
}

// clean is e without anything that could start a line or move the cursor.
func (e Event) clean() Event {
	e.Stage, e.Task, e.Text, e.Host = visible.Line(e.Stage), visible.Line(e.Task), visible.Line(e.Text), visible.Line(e.Host)
	return e
}

// retry is what a Retry says.
func (e Event) retry() string {
	return fmt.Sprintf("attempt %d of %d at %s failed, retrying: %s", e.Try, e.Of, e.Host, e.Text)
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
