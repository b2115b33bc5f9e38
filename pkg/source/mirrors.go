package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/progress"
)

// Bounds of the pause between two tries at a mirror.
const (
	maxBackoff    = 15 * time.Second
	maxRetryAfter = 60 * time.Second
)

// Failure is the failure of one mirror.
type Failure struct {
	URL   string // without a secret
	Tries int
	Err   error // of the last try
}

// Error means that no mirror had some content, with the reason for each.
type Error struct {
	Name     string
	Failures []Failure
}

// Error names each cause once, with its locations.
func (e *Error) Error() string {
	if len(e.Failures) == 0 {
		return fmt.Sprintf("cannot fetch %s: no known location", e.Name)
	}
	var causes []string
	urls := map[string][]string{}
	for _, f := range e.Failures {
		cause := clip(f.Err.Error())
		if f.Tries > 1 {
			cause += fmt.Sprintf(" (%d tries)", f.Tries)
		}
		if urls[cause] == nil {
			causes = append(causes, cause)
		}
		urls[cause] = append(urls[cause], clip(f.URL))
	}
	said := make([]string, 0, len(causes))
	for _, cause := range causes {
		at := urls[cause]
		if len(at) > mostPlaces {
			at = append(at[:mostPlaces:mostPlaces], fmt.Sprintf("%d more", len(at)-mostPlaces))
		}
		said = append(said, strings.Join(at, ", ")+": "+cause)
	}
	if len(said) > mostPlaces {
		said = append(said[:mostPlaces], fmt.Sprintf("and %d more locations", len(said)-mostPlaces))
	}
	return fmt.Sprintf("cannot fetch %s: %s", e.Name, strings.Join(said, "; "))
}

// brief is an error for a line of progress: the whole of it comes at the end.
func brief(err error) string {
	var e *Error
	if !errors.As(err, &e) || len(e.Failures) == 0 {
		return clip(err.Error())
	}
	first := e.Failures[0]
	text := clip(first.Err.Error())
	if u, err := url.Parse(first.URL); err == nil && u.Host != "" {
		text = u.Host + ": " + text
	}
	if n := len(e.Failures) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d other locations)", n)
	}
	return text
}

// Bounds of an error's text.
const (
	longestCause = 300
	mostPlaces   = 5
)

func clip(text string) string {
	if len(text) > longestCause {
		text = strings.ToValidUTF8(text[:longestCause], "") + "..."
	}
	return text
}

// Unwrap gives the error of each mirror.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// permanentError is one that the same mirror would repeat.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// localError is a failure of this machine: no mirror can help.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// busyError is an answer that asks for a pause.
type busyError struct {
	err   error
	pause time.Duration
}

func (e *busyError) Error() string { return e.err.Error() }
func (e *busyError) Unwrap() error { return e.err }

// errHang is a mirror that takes a request and does not answer it.
var errHang = errors.New("no answer")

// advancedError is the error of a try that brought new bytes: it starts the
// count of attempts again.
type advancedError struct{ err error }

func (e *advancedError) Error() string { return e.err.Error() }
func (e *advancedError) Unwrap() error { return e.err }

// eachMirror calls try for one location after the other until one succeeds.
// gone is the hint if all mirrors report that the file does not exist.
func (f *Fetcher) eachMirror(ctx context.Context, name, gone string, locations []Location, try func(context.Context, Location) error) error {
	result := &Error{Name: name}
	order := f.order(locations)
	for i, l := range order {
		tries, err := f.insist(ctx, name, l, i+1 < len(order), try)
		if err == nil {
			f.setDown(l, false)
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("cannot fetch %s: %w", name, context.Cause(ctx))
		}
		var local *localError
		if errors.As(err, &local) {
			return fmt.Errorf("cannot fetch %s: %w", name, local.err)
		}
		result.Failures = append(result.Failures, Failure{URL: show(l), Tries: tries, Err: err})
		var permanent *permanentError
		if !errors.As(err, &permanent) && len(order) > 1 && f.setDown(l, true) {
			f.opt.Report.Report(progress.Event{Kind: progress.Warn, Stage: stage, Task: host(l), Text: fmt.Sprintf("%s; it is now tried last", clip(err.Error()))})
		}
	}
	return f.advise(result, gone)
}

// insist tries one location until the tries are used up, or no further one
// makes sense. others says that there is somebody else to ask.
func (f *Fetcher) insist(ctx context.Context, name string, l Location, others bool, try func(context.Context, Location) error) (tries int, err error) {
	for failed := 0; ; {
		tries++
		f.opt.Report.Report(progress.Event{Kind: progress.Detail, Stage: stage, Task: name, Text: asked(l, tries)})
		if err = try(ctx, l); err == nil {
			return tries, nil
		}
		var permanent *permanentError
		var local *localError
		var advanced *advancedError
		var busy *busyError
		switch {
		case ctx.Err() != nil, errors.As(err, &permanent), errors.As(err, &local):
			return tries, err
		case errors.As(err, &advanced):
			failed = 0
		case others && (errors.Is(err, errHang) || errors.As(err, &busy) && busy.pause > maxBackoff):
			return tries, err
		default:
			failed++
		}
		limit := f.tries(err, others)
		if failed >= limit {
			return tries, err
		}
		pause := f.backoff(failed)
		if errors.As(err, &busy) {
			pause = max(pause, min(busy.pause, maxRetryAfter))
		}
		if failed > 0 {
			f.tell(progress.Event{Kind: progress.Retry, Task: name, Try: failed, Of: limit, Host: host(l), Text: clip(err.Error())})
		}
		if err := sleep(ctx, pause); err != nil {
			return tries, err
		}
	}
}

// asked is what a try asks for.
func asked(l Location, tries int) string {
	if tries > 1 {
		return fmt.Sprintf("%s (try %d)", show(l), tries)
	}
	return show(l)
}

// tries is how often a location is tried that fails like err: less often where
// nothing answers, as each try takes long, and more often where the server
// itself says that it will be back.
func (f *Fetcher) tries(err error, others bool) int {
	const (
		silent = 2
		more   = 3 // half a minute with the default backoff
	)
	var dial *dialError
	var status *StatusError
	switch {
	case errors.As(err, &dial) && dial.silent:
		return min(f.opt.Retries, silent)
	case !others && errors.As(err, &status) && slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status.Code):
		return f.opt.Retries + more
	}
	return f.opt.Retries
}

// backoff doubles with each failed try, and varies by half, so that many
// clients do not come back at the same moment.
func (f *Fetcher) backoff(failed int) time.Duration {
	d := f.opt.Backoff
	for i := 1; i < failed && d < maxBackoff; i++ {
		d *= 2
	}
	d = min(d, maxBackoff)
	return d/2 + rand.N(d/2+1) //nolint:gosec // no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// order puts hosts that did not answer before at the end.
func (f *Fetcher) order(locations []Location) []Location {
	f.mu.Lock()
	defer f.mu.Unlock()
	var up, down []Location
	for _, l := range locations {
		if f.down[host(l)] {
			down = append(down, l)
		} else {
			up = append(up, l)
		}
	}
	return append(up, down...)
}

// setDown records whether the host of l answers, and returns whether that has
// changed.
func (f *Fetcher) setDown(l Location, down bool) bool {
	h := host(l)
	if h == "" {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down[h] == down {
		return false
	}
	f.down[h] = down
	return true
}
