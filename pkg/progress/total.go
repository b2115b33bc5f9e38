package progress

import (
	"fmt"
	"strings"
	"time"
)

// Total is how far all tasks of a stage are.
type Total struct {
	Stage string
	Done  int     // tasks
	Of    int     // tasks, as far as they are known
	Bytes int64   // of all tasks
	Total int64   // bytes, 0 where they are not known
	Rate  float64 // bytes a second, 0 where it cannot be told
	Left  time.Duration
}

// String is the total as a line has it.
func (t Total) String() string {
	list := []string{fmt.Sprintf("%d of %d done", t.Done, t.Of), amount(t.Bytes, t.Total)}
	if t.Rate > 0 {
		list = append(list, Size(int64(t.Rate))+"/s")
	}
	if t.Left > 0 {
		list = append(list, left(t.Left)+" left")
	}
	return strings.Join(list, ", ")
}

// amount is how much of all bytes is there.
func amount(done, all int64) string {
	if all > 0 {
		return Size(done) + " of " + Size(all)
	}
	return Size(done)
}

// left is a time for people: one unit, or two.
func left(d time.Duration) string {
	const hour, minute = 60, 60
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < minute:
		return fmt.Sprintf("%d s", s)
	case s < hour*minute:
		return fmt.Sprintf("%d min %02d s", s/minute, s%minute)
	}
	return fmt.Sprintf("%d h %02d min", s/(hour*minute), s/minute%hour)
}

// ledger adds up what the tasks of every stage report. What was there when a
// task began counts as bytes, and not towards the rate.
type ledger struct {
	now    func() time.Time
	stages map[string]*stageSum
}

type stageSum struct {
	tasks         map[string]*taskSum // active
	done, began   int
	expected      int
	expectedBytes int64
	bytes, total  int64 // of tasks that began; total of those whose size is known
	moved         int64 // bytes that arrived since first
	first         time.Time
}

type taskSum struct {
	done, total, moved int64
	first              time.Time // when its first byte arrived
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{now: now, stages: map[string]*stageSum{}}
}

func (l *ledger) stage(name string) *stageSum {
	s := l.stages[name]
	if s == nil {
		s = &stageSum{tasks: map[string]*taskSum{}}
		l.stages[name] = s
	}
	return s
}

// add takes an event in, and returns the task that it is about, if any.
func (l *ledger) add(e Event) *taskSum {
	s := l.stage(e.Stage)
	switch e.Kind {
	case Expect:
		s.expected, s.expectedBytes = e.Of, e.Total
	case Start:
		if e.Total == Unsized || s.tasks[e.Task] != nil {
			return s.tasks[e.Task]
		}
		t := &taskSum{done: e.Bytes}
		s.tasks[e.Task] = t
		s.began++
		s.bytes += e.Bytes
		s.size(t, e.Total)
		return t
	case Advance:
		t := s.tasks[e.Task]
		if t == nil {
			return nil
		}
		s.size(t, e.Total)
		s.move(t, e.Bytes, l.now())
		return t
	case Done, Failed, Stopped:
		t := s.tasks[e.Task]
		if t == nil {
			return nil
		}
		delete(s.tasks, e.Task)
		if e.Kind == Done {
			s.move(t, max(0, e.Bytes-t.done), l.now())
			s.done++
		}
		return t
	}
	return nil
}

// size notes how large a task is, which may turn out late.
func (s *stageSum) size(t *taskSum, total int64) {
	if total <= 0 || total == t.total {
		return
	}
	s.total += total - t.total
	t.total = total
}

func (s *stageSum) move(t *taskSum, n int64, now time.Time) {
	if n == 0 {
		return
	}
	if t.first.IsZero() {
		t.first = now
	}
	if s.first.IsZero() {
		s.first = now
	}
	t.done += n
	t.moved += n
	s.bytes += n
	s.moved += n
}

// total is how far a stage is.
func (l *ledger) total(name string) Total {
	s := l.stage(name)
	t := Total{Stage: name, Done: s.done, Of: max(s.expected, s.began), Bytes: s.bytes, Total: max(s.expectedBytes, s.total)}
	t.Rate = rate(s.moved, l.now().Sub(s.first))
	for _, task := range s.tasks {
		if task.total == 0 {
			t.Total = 0 // there is more than can be told
		}
	}
	t.Left = remaining(t.Bytes, t.Total, t.Rate)
	return t
}

// several says that a stage has a total that says more than its one task.
func (l *ledger) several(name string) bool {
	s := l.stage(name)
	return max(s.expected, s.began) > 1
}

// rate is bytes a second; too little time says nothing.
func rate(moved int64, took time.Duration) float64 {
	const least = time.Second
	if moved == 0 || took < least {
		return 0
	}
	return float64(moved) / took.Seconds()
}

// remaining is how long the rest takes, 0 where that cannot be told.
func remaining(done, all int64, rate float64) time.Duration {
	if all <= done || rate <= 0 {
		return 0
	}
	return time.Duration(float64(all-done) / rate * float64(time.Second))
}
