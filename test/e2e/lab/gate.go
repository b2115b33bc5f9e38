package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Gate is a server on 127.0.0.1 before a registry or a folder. It counts the
// bytes of the bodies that pass and breaks or slows them as told.
type Gate struct {
	Addr  string // host:port
	URL   string // http://host:port
	inner http.Handler
	total atomic.Int64

	mu      sync.Mutex
	faults  []Fault
	served  map[string]int64
	pending time.Time // when the line is free again, for Rate
}

// Fault is what happens to responses whose path matches. The first fault that
// matches and is not used up counts.
type Fault struct {
	Path    *regexp.Regexp
	Times   int   // how often it strikes; 0 is always
	Status  int   // answers this and no body
	Hang    bool  // sends half of the body at most, then nothing more until the client goes
	Cut     int64 // closes the connection after so many bytes of the body
	Corrupt bool  // flips a bit of the first byte of the body
	Rate    int64 // bytes a second over all responses of the gate
}

// Before starts a gate before a registry.
func (l *Lab) Before(r *Registry) (*Gate, error) {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.Addr})
	// A client that goes away, as those of broken downloads do, is no news.
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	return l.gate(proxy)
}

// Serve starts a gate before a folder.
func (l *Lab) Serve(dir string) (*Gate, error) {
	return l.gate(http.FileServer(http.Dir(dir)))
}

func (l *Lab) gate(inner http.Handler) (*Gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a gate: %w", err)
	}
	g := &Gate{Addr: ln.Addr().String(), inner: inner, served: map[string]int64{}}
	g.URL = "http://" + g.Addr
	srv := &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			l.logf("gate %s: %v", g.Addr, err)
		}
	}()
	l.OnClose(srv.Close)
	return g, nil
}

// Break replaces the faults; without arguments all is well again.
func (g *Gate) Break(faults ...Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = faults
}

// Total is the number of body bytes that passed since the last Reset.
func (g *Gate) Total() int64 { return g.total.Load() }

// Served is Total by path.
func (g *Gate) Served() map[string]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := make(map[string]int64, len(g.served))
	for k, v := range g.served {
		m[k] = v
	}
	return m
}

// Reset sets the counts to zero.
func (g *Gate) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.served = map[string]int64{}
	g.total.Store(0)
}

func (g *Gate) match(path string) Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, f := range g.faults {
		if f.Times < 0 || f.Path != nil && !f.Path.MatchString(path) {
			continue
		}
		if f.Times > 0 {
			if g.faults[i].Times--; g.faults[i].Times == 0 {
				g.faults[i].Times = -1
			}
		}
		return f
	}
	return Fault{}
}

func (g *Gate) count(path string, n int) {
	g.mu.Lock()
	g.served[path] += int64(n)
	g.mu.Unlock()
	g.total.Add(int64(n))
}

// pace waits until the line, of rate bytes a second, has sent n bytes more.
func (g *Gate) pace(ctx context.Context, rate int64, n int) {
	g.mu.Lock()
	now := time.Now()
	if g.pending.Before(now) {
		g.pending = now
	}
	g.pending = g.pending.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	wait := g.pending.Sub(now)
	g.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := g.match(r.URL.Path)
	if f.Status != 0 {
		http.Error(w, http.StatusText(f.Status), f.Status)
		return
	}
	g.inner.ServeHTTP(&tampered{ResponseWriter: w, gate: g, req: r, fault: f}, r)
}

// tampered is a response that suffers a fault.
type tampered struct {
	http.ResponseWriter
	gate  *Gate
	req   *http.Request
	fault Fault
	sent  int64
}

func (t *tampered) Write(b []byte) (int, error) {
	if t.fault.Corrupt && t.sent == 0 && len(b) > 0 {
		b = append([]byte{b[0] ^ 1}, b[1:]...)
	}
	if t.fault.Hang {
		if err := http.NewResponseController(t.ResponseWriter).Flush(); err != nil {
			return 0, err
		}
		<-t.req.Context().Done()
		return 0, t.req.Context().Err()
	}
	if t.fault.Cut > 0 && t.sent+int64(len(b)) > t.fault.Cut {
		b = b[:t.fault.Cut-t.sent]
		if err := t.pass(b); err != nil {
			return 0, err
		}
		// What was promised does not come: the server closes the connection.
		panic(http.ErrAbortHandler)
	}
	return len(b), t.pass(b)
}

func (t *tampered) pass(b []byte) error {
	for len(b) > 0 {
		part := b[:min(len(b), 32<<10)]
		if t.fault.Rate > 0 {
			t.gate.pace(t.req.Context(), t.fault.Rate, len(part))
		}
		// Counted before: the client may look at the counts as soon as it has the bytes.
		t.gate.count(t.req.URL.Path, len(part))
		n, err := t.ResponseWriter.Write(part)
		t.sent += int64(n)
		if err != nil {
			t.gate.count(t.req.URL.Path, n-len(part))
			return err
		}
		b = b[n:]
	}
	if t.fault.Cut > 0 {
		return http.NewResponseController(t.ResponseWriter).Flush()
	}
	return nil
}

// Flush lets streaming handlers through.
func (t *tampered) Flush() {
	// Not every ResponseWriter can; the bytes then leave later.
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (t *tampered) Unwrap() http.ResponseWriter { return t.ResponseWriter }
