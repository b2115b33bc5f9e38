package source

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
)

// Bounds of the pause between two tries at a mirror.
const (
	maxBackoff    = 15 * time.Second
	maxRetryAfter = 60 * time.Second
)

// Failure is what one mirror did.
type Failure struct {
	URL   string // without a password
	Tries int
	Err   error // of the last try
}

// Error says that no mirror had something, and why each had not.
type Error struct {
	Name     string
	Failures []Failure
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cannot fetch %s: ", e.Name)
	if len(e.Failures) == 0 {
		b.WriteString("no location is known")
	}
	for i, f := range e.Failures {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", f.URL, f.Err)
		if f.Tries > 1 {
			fmt.Fprintf(&b, " (%d tries)", f.Tries)
		}
	}
	return b.String()
}

// Unwrap gives the error of each mirror.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// permanentError is one that the same mirror would give again.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// localError is one of this machine: no mirror can help.
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
// count of tries anew.
type advancedError struct{ err error }

func (e *advancedError) Error() string { return e.err.Error() }
func (e *advancedError) Unwrap() error { return e.err }

// eachMirror calls try for one location after the other until one succeeds.
func (f *Fetcher) eachMirror(ctx context.Context, name string, locations []Location, try func(context.Context, Location) error) error {
	result := &Error{Name: name}
	order := f.order(locations)
	for i, l := range order {
		tries, err := f.insist(ctx, l, i+1 < len(order), try)
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
			f.opt.Report.Report(progress.Event{Kind: progress.Warn, Stage: stage, Task: host(l), Text: fmt.Sprintf("%v; from now on it is asked last", err)})
		}
	}
	return advise(result)
}

// insist tries one location until the tries are used up, or no further one
// makes sense. others says that there is somebody else to ask.
func (f *Fetcher) insist(ctx context.Context, l Location, others bool, try func(context.Context, Location) error) (tries int, err error) {
	for failed := 0; ; {
		tries++
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
		if failed >= f.opt.Retries {
			return tries, err
		}
		pause := f.backoff(failed)
		if errors.As(err, &busy) {
			pause = max(pause, min(busy.pause, maxRetryAfter))
		}
		if err := sleep(ctx, pause); err != nil {
			return tries, err
		}
	}
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

// setDown remembers whether the host of l answers, and says whether that is
// news.
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

// advise adds what a user can do about it.
func advise(e *Error) error {
	if hint.Of(e) != "" {
		return e
	}
	var permanent *permanentError
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	for _, f := range e.Failures {
		switch {
		case !errors.As(f.Err, &permanent):
			return hint.With(e, "run the same command again: what has arrived is kept; a proxy is taken from HTTPS_PROXY")
		case errors.As(f.Err, &dns):
			return hint.With(e, "check the name, and that this machine is connected; a proxy is taken from HTTPS_PROXY")
		case errors.As(f.Err, &authority):
			return hint.With(e, "where a proxy has certificates of its own, SSL_CERT_FILE names the file of their authority")
		}
	}
	return e
}
