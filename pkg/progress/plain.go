package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Renderer shows events until it is closed. Event is safe for concurrent use.
type Renderer interface {
	Event(Event)
	Close()
}

// plain prints one line when a task ends and, for long ones, one line every
// few seconds, so that a log of a run can be read afterwards. A stage of several
// tasks has a line for all of them then. A task without a size has a line when it
// starts, too, if there is something to say.
type plain struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool
	ledger  *ledger
	printed map[string]time.Time // of tasks, and of stages' totals
	now     func() time.Time
}

// plainEvery is how often an active task prints a line.
const plainEvery = 10 * time.Second

// NewPlain prints lines to w; verbose adds details, and a line when a task
// starts, or is stopped.
func NewPlain(w io.Writer, verbose bool) Renderer { return newPlain(w, verbose, time.Now) }

func newPlain(w io.Writer, verbose bool, now func() time.Time) *plain {
	return &plain{w: w, verbose: verbose, ledger: newLedger(now), printed: map[string]time.Time{}, now: now}
}

func (p *plain) Event(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e = e.clean()
	sum := p.ledger.add(e)
	key := e.Stage + "\x00" + e.Task
	switch e.Kind {
	case Start:
		p.printed[key] = p.now()
		switch {
		case e.Total == Unsized && e.Text != "":
			p.line(e.Stage, e.Task, e.Text)
		case p.verbose:
			p.line(e.Stage, e.Task, "started")
		}
	case Advance:
		if sum != nil {
			p.advance(key, e, sum)
		}
	case Done:
		size := ""
		if e.Bytes > 0 {
			size = Size(e.Bytes)
		}
		p.line(e.Stage, e.Task, joinText(size, e.Text))
		delete(p.printed, key)
	case Failed, Stopped:
		if text, ok := ending(e, false, p.verbose); ok {
			p.line(e.Stage, e.Task, text)
		} else if p.verbose {
			p.line(e.Stage, e.Task, "stopped")
		}
		delete(p.printed, key)
	default:
		if stage, text, ok := remark(e, p.verbose); ok {
			p.line(stage, e.Task, text)
		}
	}
}

// advance prints how far a stage is, or its only task.
func (p *plain) advance(key string, e Event, sum *taskSum) {
	if p.ledger.several(e.Stage) {
		if key = e.Stage; p.printed[key].IsZero() {
			p.printed[key] = p.now()
		}
	}
	if p.now().Sub(p.printed[key]) < plainEvery {
		return
	}
	p.printed[key] = p.now()
	if key == e.Stage {
		p.line(e.Stage, "", p.ledger.total(e.Stage).String())
		return
	}
	text := Size(sum.done)
	if sum.total > 0 {
		const percent = 100
		text = fmt.Sprintf("%s of %s (%d %%)", Size(sum.done), Size(sum.total), sum.done*percent/sum.total)
	}
	if rest := remaining(sum.done, sum.total, rate(sum.moved, p.now().Sub(sum.first))); rest > 0 {
		text += ", " + left(rest) + " left"
	}
	p.line(e.Stage, e.Task, text)
}

func (p *plain) line(stage, task, text string) {
	// Progress that cannot be written is not worth failing for.
	_, _ = io.WriteString(p.w, line(stage, task, text))
}

func (p *plain) Close() {}

func joinText(a, b string) string {
	if a != "" && b != "" {
		return a + ", " + b
	}
	return a + b
}

// quiet shows warnings and nothing else.
type quiet struct{ plain Renderer }

// NewQuiet prints warnings to w and nothing else.
func NewQuiet(w io.Writer) Renderer { return quiet{NewPlain(w, false)} }

func (q quiet) Event(e Event) {
	if e.Kind == Warn {
		q.plain.Event(e)
	}
}

func (q quiet) Close() {}

// Size is n bytes for people: powers of 1000, as disks and sticks are sold.
func Size(n int64) string {
	const step = 1000
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		value /= step
		if value < step {
			break
		}
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}
