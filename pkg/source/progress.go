package source

import (
	"context"
	"errors"
	"time"

	"kubecrate/pkg/progress"
)

// stage is the Stage of all events of this package.
const stage = "fetch"

// reportEvery is the least time between two Advance events of a task.
const reportEvery = 100 * time.Millisecond

// meter reports how a download gets on. Bytes that come a second time, after a
// restart, are not reported again.
type meter struct {
	report   progress.Func
	task     string
	total    int64
	reported int64
	last     time.Time
}

func (m *meter) start(have int64) {
	m.report.Report(progress.Event{Kind: progress.Start, Stage: stage, Task: m.task, Bytes: have, Total: m.total})
	m.reported = have
}

// advance says that have bytes are there; it is reported now if force is set,
// or enough time has passed.
func (m *meter) advance(have int64, force bool) {
	if m.report == nil || have <= m.reported {
		return
	}
	now := time.Now()
	if !force && now.Sub(m.last) < reportEvery {
		return
	}
	m.report.Report(progress.Event{Kind: progress.Advance, Stage: stage, Task: m.task, Bytes: have - m.reported, Total: m.total})
	m.reported, m.last = have, now
}

func (m *meter) end(size int64, err error) {
	if errors.Is(err, context.Canceled) {
		// Whoever ended it says why: a line for every download that was on its way would hide that.
		m.report.Report(progress.Event{Kind: progress.Stopped, Stage: stage, Task: m.task})
		return
	}
	if err != nil {
		m.report.Report(progress.Event{Kind: progress.Failed, Stage: stage, Task: m.task, Text: brief(err)})
		return
	}
	m.advance(size, true)
	m.report.Report(progress.Event{Kind: progress.Done, Stage: stage, Task: m.task, Bytes: size, Total: size})
}
