package progress

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"kubecrate/pkg/visible"
)

// jsonEvery is how often an active task prints an advance line, and its stage a
// total line.
const jsonEvery = time.Second

// jsonLines writes events as docs/JSON.md describes them.
type jsonLines struct {
	mu      sync.Mutex
	enc     *json.Encoder
	verbose bool
	ledger  *ledger
	last    map[string]time.Time // of advance lines by task, and of total lines by stage
	since   map[string]int64     // bytes of a task that no line has told yet
	now     func() time.Time
}

// NewJSON writes events to w, one JSON object a line; verbose adds details.
func NewJSON(w io.Writer, verbose bool) Renderer { return newJSON(w, verbose, time.Now) }

func newJSON(w io.Writer, verbose bool, now func() time.Time) *jsonLines {
	enc := json.NewEncoder(visible.NewWriter(w))
	enc.SetEscapeHTML(false)
	return &jsonLines{enc: enc, verbose: verbose, ledger: newLedger(now), last: map[string]time.Time{}, since: map[string]int64{}, now: now}
}

// jsonEvent is an event as a line has it.
type jsonEvent struct {
	Event
	Time  string `json:"time"`
	Total int64  `json:"total,omitempty"` // in place of Event's, which may be less than 0
}

// jsonTotal is how far a stage is.
type jsonTotal struct {
	Kind  string `json:"kind"`
	Time  string `json:"time"`
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Of    int    `json:"of"`
	Bytes int64  `json:"bytes"`
	Total int64  `json:"total,omitempty"`
	Rate  int64  `json:"rate,omitempty"`
	Left  int64  `json:"left,omitempty"`
}

// KindTotal is the kind of a line that says how far all tasks of a stage are.
const KindTotal Kind = "total"

func (j *jsonLines) Event(e Event) {
	if e.Kind == Detail && !j.verbose {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ledger.add(e)
	key := e.Stage + "\x00" + e.Task
	switch e.Kind {
	case Advance:
		j.since[key] += e.Bytes
		if !j.due(key) {
			return
		}
		e.Bytes = j.since[key]
		delete(j.since, key)
	case Done, Failed, Stopped:
		delete(j.since, key)
		delete(j.last, key)
	}
	j.write(jsonEvent{Event: e, Time: j.time(), Total: max(0, e.Total)})
	if e.Kind != Expect && j.ledger.several(e.Stage) && j.due(e.Stage) {
		t := j.ledger.total(e.Stage)
		j.write(jsonTotal{Kind: string(KindTotal), Time: j.time(), Stage: t.Stage, Done: t.Done, Of: t.Of, Bytes: t.Bytes, Total: t.Total,
			Rate: int64(t.Rate), Left: int64(t.Left.Round(time.Second).Seconds())})
	}
}

// due says that a line of this key may be written, and takes it as written.
func (j *jsonLines) due(key string) bool {
	now := j.now()
	if last, ok := j.last[key]; ok && now.Sub(last) < jsonEvery {
		return false
	}
	j.last[key] = now
	return true
}

func (j *jsonLines) time() string { return j.now().UTC().Format(time.RFC3339) }

func (j *jsonLines) write(v any) {
	// A reader that went away must not fail the work.
	_ = j.enc.Encode(v)
}

func (j *jsonLines) Close() {}
