// Package sourcetest makes HTTP servers misbehave as real mirrors do: slow,
// cut, hanging, wrong. Each function wraps a handler; what they do can be
// combined. It is for tests and benchmarks.
package sourcetest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// modified is the Last-Modified of all content.
var modified = time.Date(2020, time.March, 1, 0, 0, 0, 0, time.UTC)

// Content serves data under every path, with Range, If-Range and an ETag.
func Content(data []byte) http.Handler {
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x-%d", len(data), checksum(data)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", modified, bytes.NewReader(data))
	})
}

// Files serves content by path, 404 for the rest.
func Files(files map[string][]byte) http.Handler {
	mux := http.NewServeMux()
	for path, data := range files {
		mux.Handle("GET "+path, Content(data))
	}
	return mux
}

func checksum(data []byte) (sum uint32) {
	const prime = 16777619 // FNV-1a
	for _, b := range data {
		sum = (sum ^ uint32(b)) * prime
	}
	return sum
}

// NoRange hides Range from the handler: it always sends everything.
func NoRange(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		h.ServeHTTP(w, r)
	})
}

// On uses special for the requests that match, and h for the others.
func On(match func(*http.Request) bool, special, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if match(r) {
			special.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// First uses special for the first n requests, and h from then on.
func First(n int, special, h http.Handler) http.Handler {
	var mu sync.Mutex
	return On(func(*http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n >= 0
	}, special, h)
}

// Status answers with a status and header fields, given as key, value, ....
func Status(code int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintln(w, http.StatusText(code))
	})
}

// Hang takes a request and never answers. It ends when the client goes away.
func Hang() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// HangAt sends n bytes of every body and then nothing more.
func HangAt(n int64, h http.Handler) http.Handler {
	return wrapBody(h, func(r *http.Request, w http.ResponseWriter) body {
		return &atByte{w: w, left: n, then: func() { <-r.Context().Done() }}
	})
}

// CutAt sends n bytes of every body and then closes the connection.
func CutAt(n int64, h http.Handler) http.Handler {
	return wrapBody(h, func(_ *http.Request, w http.ResponseWriter) body {
		return &atByte{w: w, left: n, then: func() {}}
	})
}

// Corrupt flips the bits of the byte at offset of every body.
func Corrupt(offset int64, h http.Handler) http.Handler {
	return wrapBody(h, func(_ *http.Request, w http.ResponseWriter) body {
		return &flipped{w: w, at: offset}
	})
}

// Endless sends zeros for ever, with no length.
func Endless() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		const chunk = 64 << 10
		zeros := make([]byte, chunk)
		for {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	})
}

// Limiter shares a rate between all bodies of the handlers it wraps.
type Limiter struct {
	mu   sync.Mutex
	rate float64 // bytes a second
	next time.Time
}

// NewLimiter allows bytesPerSecond in all.
func NewLimiter(bytesPerSecond int64) *Limiter { return &Limiter{rate: float64(bytesPerSecond)} }

// Limit slows the bodies of h down to bytesPerSecond, all of them together.
func Limit(bytesPerSecond int64, h http.Handler) http.Handler {
	return NewLimiter(bytesPerSecond).Wrap(h)
}

// Wrap puts h under the limit.
func (l *Limiter) Wrap(h http.Handler) http.Handler {
	return wrapBody(h, func(r *http.Request, w http.ResponseWriter) body {
		return &limited{w: w, l: l, done: r.Context().Done()}
	})
}

// take books n bytes and says how long to wait before they may be sent.
func (l *Limiter) take(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	wait := l.next.Sub(now)
	l.next = l.next.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return wait
}

// Request is what a Recorder saw.
type Request struct {
	Path   string
	Range  string
	Header http.Header
	From   int64 // first byte that was sent
	Bytes  int64 // bytes of the body that were handed over to be sent
	Status int
}

// Recorder keeps what was asked of a handler.
type Recorder struct {
	h    http.Handler
	mu   sync.Mutex
	list []*Request
}

// Record wraps h.
func Record(h http.Handler) *Recorder { return &Recorder{h: h} }

// Requests is what has been asked so far, in order.
func (rec *Recorder) Requests() []Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	list := make([]Request, len(rec.list))
	for i, r := range rec.list {
		list[i] = *r
	}
	return list
}

func (rec *Recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &Request{Path: r.URL.Path, Range: r.Header.Get("Range"), Header: r.Header.Clone()}
	rec.mu.Lock()
	rec.list = append(rec.list, seen)
	rec.mu.Unlock()
	rec.h.ServeHTTP(&recorded{ResponseWriter: w, rec: rec, seen: seen}, r)
}

type recorded struct {
	http.ResponseWriter
	rec  *Recorder
	seen *Request
}

func (w *recorded) WriteHeader(code int) {
	w.rec.mu.Lock()
	w.seen.Status = code
	span := strings.TrimPrefix(w.Header().Get("Content-Range"), "bytes ")
	first, _, _ := strings.Cut(span, "-")
	if from, err := strconv.ParseInt(first, 10, 64); err == nil {
		w.seen.From = from
	}
	w.rec.mu.Unlock()
	w.ResponseWriter.WriteHeader(code)
}

func (w *recorded) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.rec.mu.Lock()
	w.seen.Bytes += int64(n)
	w.rec.mu.Unlock()
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorded) Unwrap() http.ResponseWriter { return w.ResponseWriter }
