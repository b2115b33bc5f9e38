package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := newPlain(&out, false, func() time.Time { return clock })
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
		"fetch    a  1.0 kB of 2.0 kB (50 %), 10 s left",
		"fetch    a  2.0 kB",
		"fetch    b  failed",
		"lock     wrote x.lock",
		"warning  c  key expired",
		`fetch    b  attempt 1 of 4 at m.example failed, retrying: 503\x1b`,
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
	j := NewJSON(&out, false)
	j.Event(Event{Kind: Detail, Text: "only with -v"})
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
	b := NewBars(&out, false)
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "a", Total: 10})
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "unfinished", Total: 10})
	b.Event(Event{Kind: Advance, Stage: "fetch", Task: "a", Bytes: 5})
	b.Event(Event{Kind: Warn, Task: "w", Text: "mind this"})
	b.Event(Event{Kind: Done, Stage: "fetch", Task: "a", Bytes: 10})
	b.Event(Event{Kind: Failed, Stage: "fetch", Task: "z", Text: "gone"})
	b.Close()
	for _, want := range []string{"warning  w  mind this\n", "fetch    z  failed\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from %q", want, out.String())
		}
	}
}

// TestRow: at 80 columns the bar, the amounts, the whole rate and the time left
// are there; the name gives way.
func TestRow(t *testing.T) {
	t.Parallel()
	const name = "kubernetes-cni-0.7.5-0.x86_64-and-a-name-that-never-ends"
	for _, width := range []int{80, 100, 132} {
		got := row(width, "fetch", name, picture(564_000_000, 1_000_000_000), "564 MB of 1.0 GB  25 MB/s  18 s")
		if len(got) >= width || !strings.HasSuffix(got, "[=====-----] 564 MB of 1.0 GB  25 MB/s  18 s") || !strings.HasPrefix(got, "fetch    kube") {
			t.Errorf("%d columns: %q has %d", width, got, len(got))
		}
	}
	if got := row(60, "fetch", name, picture(1, 2), "564 MB of 1.0 GB  25 MB/s  18 s"); len(got) >= 60 || strings.Contains(got, "[") {
		t.Errorf("60 columns: %q has %d", got, len(got))
	}
	if got := row(80, "fetch", "a", "", ""); got != "fetch    a" {
		t.Errorf("got %q", got)
	}
	if got := shorten("abcdefghij", 8); got != "abc..hij" {
		t.Errorf("got %q", got)
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 01 s", 2*time.Hour + 5*time.Minute: "2 h 05 min"} {
		if got := left(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

// TestTotal: all tasks of a stage are added up, against what was expected; what
// was there before counts as done, and not as fast.
func TestTotal(t *testing.T) {
	t.Parallel()
	clock := time.Unix(0, 0)
	l := newLedger(func() time.Time { return clock })
	for _, e := range []Event{
		{Kind: Expect, Of: 3, Total: 4000},
		{Kind: Start, Task: "a", Total: 2000, Bytes: 900},
		{Kind: Start, Task: "b", Total: 1000},
		{Kind: Advance, Task: "a", Bytes: 100},
	} {
		l.add(e)
	}
	clock = clock.Add(10 * time.Second)
	l.add(Event{Kind: Advance, Task: "a", Bytes: 900})
	if got, want := l.total("").String(), "0 of 3 done, 1.9 kB of 4.0 kB, 100 B/s, 21 s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	l.add(Event{Kind: Done, Task: "a", Bytes: 2000})
	l.add(Event{Kind: Stopped, Task: "b"})
	if got := l.total(""); got.Done != 1 || got.Bytes != 2000 || got.Of != 3 {
		t.Errorf("got %+v", got)
	}
}

// TestPlainTotal: where several tasks are at work, the log says how far all are.
func TestPlainTotal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := newPlain(&out, false, func() time.Time { return clock })
	for _, task := range []string{"a", "b"} {
		p.Event(Event{Kind: Start, Stage: "fetch", Task: task, Total: 5000})
		p.Event(Event{Kind: Advance, Stage: "fetch", Task: task, Bytes: 1000})
	}
	clock = clock.Add(plainEvery)
	p.Event(Event{Kind: Advance, Stage: "fetch", Task: "a", Bytes: 1000})
	p.Event(Event{Kind: Advance, Stage: "fetch", Task: "b", Bytes: 1000})
	if got, want := out.String(), "fetch    0 of 2 done, 3.0 kB of 10 kB, 300 B/s, 23 s left\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestJSONTotal: a line a second and task, with all bytes since the last one, and
// no number below zero.
func TestJSONTotal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	j := newJSON(&out, false, func() time.Time { return clock })
	j.Event(Event{Kind: Start, Stage: "3/9", Task: "init", Total: Unsized})
	for _, task := range []string{"a", "b"} {
		j.Event(Event{Kind: Start, Stage: "f", Task: task, Total: 100})
	}
	for range 5 {
		j.Event(Event{Kind: Advance, Stage: "f", Task: "a", Bytes: 1})
	}
	clock = clock.Add(2 * time.Second)
	j.Event(Event{Kind: Advance, Stage: "f", Task: "a", Bytes: 5})
	want := strings.Join([]string{
		`{"kind":"start","stage":"3/9","task":"init","time":"1970-01-01T00:00:00Z"}`,
		`{"kind":"start","stage":"f","task":"a","time":"1970-01-01T00:00:00Z","total":100}`,
		`{"kind":"start","stage":"f","task":"b","time":"1970-01-01T00:00:00Z","total":100}`,
		`{"kind":"total","time":"1970-01-01T00:00:00Z","stage":"f","done":0,"of":2,"bytes":0,"total":200}`,
		`{"kind":"advance","stage":"f","task":"a","bytes":1,"time":"1970-01-01T00:00:00Z"}`,
		`{"kind":"advance","stage":"f","task":"a","bytes":9,"time":"1970-01-01T00:00:02Z"}`,
		`{"kind":"total","time":"1970-01-01T00:00:02Z","stage":"f","done":0,"of":2,"bytes":10,"total":200,"rate":5,"left":38}`,
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
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
	b := NewBars(&out, false)
	b.Event(Event{Kind: Start, Stage: "3/9", Task: "init", Total: Unsized, Text: "kubeadm init runs"})
	b.Event(Event{Kind: Done, Stage: "3/9", Task: "init", Text: "done (41 s)"})
	b.Event(Event{Kind: Start, Stage: "fetch", Task: "a", Total: 7})
	b.Event(Event{Kind: Done, Stage: "fetch", Task: "a", Bytes: 7, Text: "hidden"})
	b.Close()
	if got := out.String(); !strings.Contains(got, "3/9      init  done (41 s)\n") || strings.Contains(got, "hidden") {
		t.Errorf("got %q", got)
	}
}
