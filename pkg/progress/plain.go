package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"kubecrate/pkg/visible"
)

// Renderer shows events until it is closed. Event is safe for concurrent use.
type Renderer interface {
	Event(Event)
	Close()
}

// plain prints one line when a task ends and, for long ones, one line every
// few seconds, so that a log of a run can be read afterwards. A task without a
// size has a line when it starts, too, if there is something to say.
type plain struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool
	tasks   map[string]*plainTask
	now     func() time.Time
}

type plainTask struct {
	done, total int64
	printed     time.Time
}

// plainEvery is how often a task that is still at work prints a line.
const plainEvery = 10 * time.Second

// NewPlain prints lines to w; verbose adds a line when a task
// starts, or is stopped.
func NewPlain(w io.Writer, verbose bool) Renderer {
	return &plain{w: w, verbose: verbose, tasks: map[string]*plainTask{}, now: time.Now}
}

func (p *plain) Event(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e = e.clean()
	key := e.Stage + "\x00" + e.Task
	switch e.Kind {
	case Start:
		p.tasks[key] = &plainTask{total: e.Total, printed: p.now()}
		switch {
		case e.Total == Unsized && e.Text != "":
			p.line(e.Stage, e.Task, e.Text)
		case p.verbose:
			p.line(e.Stage, e.Task, "started")
		}
	case Advance:
		p.advance(key, e)
	case Done:
		size := ""
		if e.Bytes > 0 {
			size = Size(e.Bytes)
		}
		p.line(e.Stage, e.Task, joinText(size, e.Text))
		delete(p.tasks, key)
	case Failed:
		p.line(e.Stage, e.Task, "failed: "+e.Text)
		delete(p.tasks, key)
	case Stopped:
		if p.verbose {
			p.line(e.Stage, e.Task, "stopped")
		}
		delete(p.tasks, key)
	case Note:
		p.line(e.Stage, e.Task, e.Text)
	case Warn:
		p.line("warning", e.Task, e.Text)
	case Retry:
		p.line(e.Stage, e.Task, e.retry())
	case Detail:
		if p.verbose {
			p.line(e.Stage, e.Task, e.Text)
		}
	}
}

func (p *plain) advance(key string, e Event) {
	t := p.tasks[key]
	if t == nil {
		return
	}
	t.done += e.Bytes
	if e.Total > 0 {
		t.total = e.Total
	}
	if p.now().Sub(t.printed) < plainEvery {
		return
	}
	t.printed = p.now()
	text := Size(t.done)
	if t.total > 0 {
		text = fmt.Sprintf("%s of %s (%d %%)", Size(t.done), Size(t.total), t.done*100/t.total)
	}
	p.line(e.Stage, e.Task, text)
}

func (p *plain) line(stage, task, text string) {
	if task != "" && text != "" {
		task += "  "
	}
	// Progress that cannot be written is not worth failing for.
	_, _ = fmt.Fprintf(p.w, "%-8s %s%s\n", stage, task, text)
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

type jsonLines struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewJSON writes every event to w as one JSON object a line.
func NewJSON(w io.Writer) Renderer {
	enc := json.NewEncoder(visible.NewWriter(w))
	enc.SetEscapeHTML(false)
	return &jsonLines{enc: enc}
}

func (j *jsonLines) Event(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	// A reader that went away must not fail the work.
	_ = j.enc.Encode(e)
}

func (j *jsonLines) Close() {}

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
