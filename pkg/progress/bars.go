package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars shows a bar for every task at work and keeps notes and warnings above,
// and a line for every task without a size that is done.
type bars struct {
	mu       sync.Mutex
	progress *mpb.Progress
	tasks    map[string]*bar
}

type bar struct {
	*mpb.Bar
	sized bool
}

// NewBars draws bars on the terminal w. It must be closed, or the last state
// of the bars stays undrawn.
func NewBars(w io.Writer) Renderer {
	return &bars{
		progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(30), mpb.WithAutoRefresh()),
		tasks:    map[string]*bar{},
	}
}

func (b *bars) Event(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e = e.clean()
	key := e.Stage + "\x00" + e.Task
	switch e.Kind {
	case Start:
		if b.tasks[key] == nil {
			b.tasks[key] = b.add(e)
		}
	case Advance:
		if bar := b.tasks[key]; bar != nil {
			if e.Total > 0 {
				bar.SetTotal(e.Total, false)
			}
			bar.IncrInt64(e.Bytes)
		}
	case Done, Failed, Stopped:
		if bar := b.tasks[key]; bar != nil {
			bar.Abort(true)
			delete(b.tasks, key)
			if e.Kind == Done && !bar.sized {
				b.write("%-8s %s  %s\n", e.Stage, e.Task, e.Text)
			}
		}
		if e.Kind == Failed {
			b.write("%-8s %s  failed: %s\n", e.Stage, e.Task, e.Text)
		}
	case Note:
		b.write("%-8s %s %s\n", e.Stage, e.Task, e.Text)
	case Warn:
		b.write("warning  %s  %s\n", e.Task, e.Text)
	case Retry:
		b.write("%-8s %s  %s\n", e.Stage, e.Task, e.retry())
	}
}

func (b *bars) write(format string, args ...any) {
	// A note that cannot be drawn must not fail the work.
	_, _ = fmt.Fprintf(b.progress, format, args...)
}

func (b *bars) add(e Event) *bar {
	if e.Total == Unsized {
		return &bar{Bar: b.progress.New(0, mpb.SpinnerStyle(),
			mpb.BarRemoveOnComplete(), mpb.BarWidth(1),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-8s %s ", e.Stage, e.Task))),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)),
		)}
	}
	return &bar{sized: true, Bar: b.progress.AddBar(max(e.Total, 0),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-8s %-48.48s ", e.Stage, e.Task))),
		mpb.AppendDecorators(decor.Any(counter(time.Now()))),
	)}
}

// counter says how much of a task that began at start is done, and how fast.
func counter(start time.Time) func(decor.Statistics) string {
	return func(s decor.Statistics) string {
		text := Size(s.Current)
		if s.Total > 0 {
			text += " / " + Size(s.Total)
		}
		if took := time.Since(start); took > time.Second {
			text += fmt.Sprintf("  %s/s", Size(int64(float64(s.Current)/took.Seconds())))
		}
		return text
	}
}

func (b *bars) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, bar := range b.tasks {
		bar.Abort(true)
		delete(b.tasks, key)
	}
	b.progress.Wait()
}
