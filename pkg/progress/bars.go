package progress

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars shows a bar for every task whose bytes arrive, one line for all of a
// stage, and a spinner for a task without a size; it keeps notes and warnings
// above, and a line for every task without a size that is done.
type bars struct {
	mu       sync.Mutex // of what follows; never held while a bar is drawn
	progress *mpb.Progress
	verbose  bool
	tasks    map[string]*mpb.Bar
	totals   map[string]*mpb.Bar
	next     int // priority of the next bar: each stays in its line

	sums   sync.Mutex // of ledger, which the drawing reads
	ledger *ledger
}

// NewBars draws bars on the terminal w. It must be closed, or the last state
// of the bars stays undrawn. verbose adds details.
func NewBars(w io.Writer, verbose bool) Renderer {
	return &bars{
		progress: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh()),
		verbose:  verbose,
		tasks:    map[string]*mpb.Bar{},
		totals:   map[string]*mpb.Bar{},
		ledger:   newLedger(time.Now),
	}
}

func (b *bars) Event(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e = e.clean()
	b.sums.Lock()
	sum := b.ledger.add(e)
	several := b.ledger.several(e.Stage)
	b.sums.Unlock()
	key := e.Stage + "\x00" + e.Task
	switch e.Kind {
	case Start:
		if e.Total == Unsized && b.tasks[key] == nil {
			b.tasks[key] = b.spinner(e)
		}
	case Advance:
		// A task that waits for its turn has no bar.
		if sum != nil && b.tasks[key] == nil {
			b.tasks[key] = b.bar(e, sum)
		}
		if several && b.totals[e.Stage] == nil {
			b.totals[e.Stage] = b.total(e.Stage)
		}
	case Done, Failed, Stopped:
		bar := b.tasks[key]
		if bar != nil {
			bar.Abort(true)
			delete(b.tasks, key)
		}
		if text, ok := ending(e, bar != nil && sum == nil, b.verbose); ok {
			b.write(e.Stage, e.Task, text)
		}
	default:
		if stage, text, ok := remark(e, b.verbose); ok {
			b.write(stage, e.Task, text)
		}
	}
}

// ending is the line that is left of a task, if any: one without a size has its
// own, and what failed is named. Why it failed is for the error to say, once.
func ending(e Event, unsized, verbose bool) (string, bool) {
	switch {
	case e.Kind == Failed && verbose:
		return "failed: " + e.Text, true
	case e.Kind == Failed:
		return "failed", true
	}
	return e.Text, e.Kind == Done && unsized
}

// remark is the line of an event that belongs to no task's life.
func remark(e Event, verbose bool) (stage, text string, ok bool) {
	switch e.Kind {
	case Note:
		return e.Stage, e.Text, true
	case Warn:
		return "warning", e.Text, true
	case Retry:
		return e.Stage, e.retry(), true
	case Detail:
		return e.Stage, e.Text, verbose
	}
	return "", "", false
}

func (b *bars) write(stage, task, text string) {
	// A note that cannot be drawn must not fail the work.
	_, _ = io.WriteString(b.progress, line(stage, task, text))
}

// line is a line of a log.
func line(stage, task, text string) string {
	if task != "" && text != "" {
		task += "  "
	}
	return fmt.Sprintf("%-8s %s%s\n", stage, task, text)
}

func (b *bars) spinner(e Event) *mpb.Bar {
	start := time.Now()
	frames := []string{"|", "/", "-", `\`}
	b.next++
	return b.row(b.next, func(width int) string {
		took := time.Since(start)
		right := fmt.Sprintf("%s %s", frames[int(took/(time.Second/8))%len(frames)], left(took))
		return row(width, e.Stage, e.Task, "", right)
	})
}

func (b *bars) bar(e Event, sum *taskSum) *mpb.Bar {
	b.next++
	return b.row(b.next, func(width int) string {
		b.sums.Lock()
		defer b.sums.Unlock()
		speed := rate(sum.moved, time.Since(sum.first))
		right := amount(sum.done, sum.total)
		if speed > 0 {
			right += fmt.Sprintf("  %s/s", Size(int64(speed)))
		}
		if rest := remaining(sum.done, sum.total, speed); rest > 0 {
			right += "  " + left(rest)
		}
		return row(width, e.Stage, e.Task, picture(sum.done, sum.total), right)
	})
}

func (b *bars) total(stage string) *mpb.Bar {
	return b.row(math.MaxInt32, func(width int) string {
		b.sums.Lock()
		defer b.sums.Unlock()
		t := b.ledger.total(stage)
		return row(width, stage, t.String(), "", "")
	})
}

// row adds a line that draw composes for the width of the terminal.
func (b *bars) row(priority int, draw func(width int) string) *mpb.Bar {
	return b.progress.New(0, mpb.NopStyle(),
		mpb.BarPriority(priority), mpb.BarFillerTrim(),
		mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string { return draw(s.AvailableWidth) })),
	)
}

// picture is a bar of ten signs, "" where the end is not known.
func picture(done, all int64) string {
	const signs = 10
	if all <= 0 {
		return ""
	}
	full := int(min(done, all) * signs / all)
	return "[" + strings.Repeat("=", full) + strings.Repeat("-", signs-full) + "]"
}

// row composes a line of at most width signs, less the last column, where a
// terminal may wrap: the name gives way, never what is right of it.
func row(width int, stage, name, picture, right string) string {
	const stages, least = 8, 8
	head := fmt.Sprintf("%-*s ", stages, stage)
	tail := strings.TrimSpace(picture + " " + right)
	if width-1-len(head)-len(tail)-1 < least {
		tail = right
	}
	room := max(least, width-1-len(head)-len(tail)-1)
	if tail == "" {
		return head + shorten(name, room)
	}
	return head + fmt.Sprintf("%-*s %s", min(room, 48), shorten(name, room), tail)
}

// shorten takes signs out of the middle: a name's ends tell it from others.
func shorten(name string, most int) string {
	signs := []rune(name)
	if len(signs) <= most {
		return name
	}
	const dots = ".."
	most -= len(dots)
	back := most / 2
	return string(signs[:most-back]) + dots + string(signs[len(signs)-back:])
}

func (b *bars) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, list := range []map[string]*mpb.Bar{b.tasks, b.totals} {
		for key, bar := range list {
			bar.Abort(true)
			delete(list, key)
		}
	}
	b.progress.Wait()
}
