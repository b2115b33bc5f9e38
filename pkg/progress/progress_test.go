package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8/decor"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &plain{w: &out, tasks: map[string]*plainTask{}}
	clock := time.Unix(0, 0)
	p.now = func() time.Time { return clock }
	p.Event(Event{Kind: Start, Stage: "fetch", Task: "a", Total: 2000})
	p.Event(Event{Kind: Advance, Stage: "fetch", Task: "a", Bytes: 500})
	clock = clock.Add(plainEvery)
	p.Event(Event{Kind: Advance, Stage: "fetch", Task: "a", Bytes: 500})
	p.Event(Event{Kind: Done, Stage: "fetch", Task: "a", Bytes: 2000})
	p.Event(Event{Kind: Failed, Stage: "fetch", Task: "b", Text: "no route"})
	p.Event(Event{Kind: Start, Stage: "fetch", Task: "c"})
	p.Event(Event{Kind: Stopped, Stage: "fetch", Task: "c"})
	p.Event(Event{Kind: Note, Stage: "lock", Text: "wrote x.lock"})
	p.Event(Event{Kind: Warn, Task: "c", Text: "key expired"})
	p.Event(Event{Kind: Retry, Stage: "fetch", Task: "b", Try: 1, Of: 4, Host: "m.example", Text: "503\x1b"})
	p.Event(Event{Kind: Detail, Stage: "fetch", Text: "only with -v"})
	p.Event(Event{Kind: Start, Stage: "3/9", Task: "init", Total: Unsized, Text: "kubeadm init runs"})
	p.Event(Event{Kind: Done, Stage: "3/9", Task: "init", Text: "done (41 s)"})
	want := strings.Join([]string{
		"fetch    a  1.0 kB of 2.0 kB (50 %)",
		"fetch    a  2.0 kB",
		"fetch    b  failed: no route",
		"lock     wrote x.lock",
		"warning  c  key expired",
		`fetch    b  try 1 of 4 at m.example failed, trying again: 503\x1b`,
		"3/9      init  kubeadm init runs",
		"3/9      init  done (41 s)",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestQuietKeepsWarnings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := NewQuiet(&out)
	q.Event(Event{Kind: Note, Text: "hidden"})
	q.Event(Event{Kind: Warn, Task: "t", Text: "seen"})
	q.Close()
	if got := out.String(); got != "warning  t  seen\n" {
		t.Errorf("got %q", got)
	}
}

func TestJSONIsOneEventALine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	j := NewJSON(&out)
	events := []Event{{Kind: Start, Stage: "fetch", Task: "a<b", Total: 7}, {Kind: Done, Stage: "fetch", Task: "a<b", Bytes: 7}}
	for _, e := range events {
		j.Event(e)
	}
	j.Close()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(events) {
		t.Fatalf("%d lines, want %d", len(lines), len(events))
	}
	for i, line := range lines {
		var got Event
		if err := json.Unmarshal([]byte(line), &got); err != nil || got != events[i] {
			t.Errorf("line %d is %s: %v", i, line, err)
		}
	}
}

func TestBarsDrawNotesAndEnd(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := NewBars(&out)
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "a", Total: 10})
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "unfinished", Total: 10})
	b.Event(Event{Kind: Advance, Stage: "fetch", Task: "a", Bytes: 5})
	b.Event(Event{Kind: Warn, Task: "w", Text: "mind this"})
	b.Event(Event{Kind: Done, Stage: "fetch", Task: "a", Bytes: 10})
	b.Event(Event{Kind: Failed, Stage: "fetch", Task: "z", Text: "gone"})
	b.Close()
	for _, want := range []string{"mind this", "gone"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from %q", want, out.String())
		}
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	s := decor.Statistics{Current: 398, Total: 2_600_000}
	if got := counter(time.Now())(s); got != "398 B / 2.6 MB" {
		t.Errorf("got %q", got)
	}
	s.Total = 0
	if got := counter(time.Now().Add(-2 * time.Second))(s); !strings.HasPrefix(got, "398 B  ") || !strings.HasSuffix(got, " B/s") {
		t.Errorf("got %q", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9950: "9.9 kB", 12_345: "12 kB", 742_472: "742 kB", 3_900_000_000: "3.9 GB", 5e12: "5.0 TB", 5e15: "5000 TB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestBarsKeepUnsized: what counted no bytes leaves a line when its bar goes.
func TestBarsKeepUnsized(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := NewBars(&out)
	b.Event(Event{Kind: Start, Stage: "3/9", Task: "init", Total: Unsized, Text: "kubeadm init runs"})
	b.Event(Event{Kind: Done, Stage: "3/9", Task: "init", Text: "done (41 s)"})
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "a", Total: 7})
	b.Event(Event{Kind: Done, Stage: "fetch", Task: "a", Bytes: 7, Text: "hidden"})
	b.Close()
	if got := out.String(); !strings.Contains(got, "3/9      init  done (41 s)\n") || strings.Contains(got, "hidden") {
		t.Errorf("got %q", got)
	}
}
