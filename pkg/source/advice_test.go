package source

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/store"
)

// TestAdvise: what a user can do about the ways in which mirrors fail for good.
func TestAdvise(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := New(s, Options{Netrc: "/nonexistent"})
	status := func(code int) error { return &permanentError{&StatusError{Code: code}} }
	refusedDial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, Err: syscall.ECONNREFUSED}
	for want, errs := range map[string][]error{
		"no network?":                       {connecting(&net.DNSError{Err: "no such host", Name: "mirror.example", IsNotFound: true}), connecting(refusedDial)},
		"set SSL_CERT_FILE":                 {&permanentError{x509.UnknownAuthorityError{}}},
		"run the same command again":        {io.ErrUnexpectedEOF},
		"docker login":                      {&permanentError{hint.With(&StatusError{Code: 401}, "docker login")}},
		"machine mirror.example login":      {connecting(refusedDial), status(401)},
		"the proxy requires a login":        {status(407)},
		"mirror.example limits":             {status(429)},
		"mirror.example has a server error": {status(503)},
		"lock it again":                     {status(404), status(410)},
		"curl -I https://mirror.example":    {status(404), status(416)},
	} {
		e := &Error{Name: "x"}
		for _, err := range errs {
			e.Failures = append(e.Failures, Failure{URL: "https://mirror.example/x", Tries: 1, Err: err})
		}
		if got := hint.Of(f.advise(e, "lock it again")); !strings.Contains(got, want) {
			t.Errorf("%v: hint %q, want %q", errs, got, want)
		}
	}
	long := &Error{Name: "x", Failures: []Failure{{URL: "https://mirror.example/x", Tries: 1, Err: &permanentError{errors.New("it has no hint")}}}}
	if got := hint.Of(f.advise(long, "")); got != "" {
		t.Errorf("hint %q where there is none to give", got)
	}
}

// Where nothing can be reached, one short sentence says so.
func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	tcp := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}
	for want, err := range map[string]error{
		"lookup mirror.example: no such host":                               &net.DNSError{Err: "no such host", Name: "mirror.example", Server: "10.0.0.53:53", IsNotFound: true},
		"lookup mirror.example: no answer from the nameserver 10.0.0.53:53": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "read udp 10.0.0.1:5->10.0.0.53:53: i/o timeout", Name: "mirror.example", Server: "10.0.0.53:53", IsTimeout: true}},
		"cannot connect to 10.0.0.1:443: no answer within 10s":              &net.OpError{Op: "dial", Net: "tcp", Addr: tcp, Err: os.ErrDeadlineExceeded},
		"cannot connect to the proxy 10.0.0.1:443: connection refused":      &net.OpError{Op: "proxyconnect", Net: "tcp", Err: &net.OpError{Op: "dial", Net: "tcp", Addr: tcp, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}},
		"cannot connect to 10.0.0.1:443: network is unreachable":            &net.OpError{Op: "dial", Net: "tcp", Addr: tcp, Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
	} {
		if got := classify(&url.Error{Op: "Get", URL: "https://mirror.example/?token=x", Err: err}); got.Error() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	both := errors.Join(&net.OpError{Op: "dial", Net: "tcp", Addr: tcp, Err: os.ErrDeadlineExceeded}, hint.With(errors.New("http is refused"), "add --insecure"))
	if got := classify(both); !Unreachable(got) || hint.Of(got) != "" {
		t.Errorf("%v, hint %q", got, hint.Of(got))
	}
	// However many places there are, a cause is told once and the text ends.
	many := &Error{Name: "x"}
	for i := range 50 {
		many.Failures = append(many.Failures, Failure{URL: fmt.Sprintf("https://mirror%d.example/x", i), Tries: 2, Err: errors.New("no answer")})
	}
	text := many.Error()
	if strings.Count(text, "no answer") != 1 || len(text) > 400 || !strings.Contains(text, "45 more") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	for i := range many.Failures {
		many.Failures[i].Err = fmt.Errorf("%d %s", i, strings.Repeat("x", 5000))
	}
	if text := many.Error(); len(text) > 2500 || !strings.Contains(text, "45 more locations") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	if text := brief(many); len(text) > 400 || !strings.HasPrefix(text, "mirror0.example: 0 xx") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

// What is waited for, and each further try, is told.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var notes []string
	report := func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == progress.Retry {
			notes = append(notes, fmt.Sprintf("%s, %d of %d at %s: %s", e.Task, e.Try, e.Of, e.Host, e.Text))
		}
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := New(s, Options{Retries: 2, Backoff: time.Millisecond, Report: report, Netrc: "/nonexistent"})
	_, _, err = f.Get(t.Context(), "it", []Location{{URL: server.URL}}, 1)
	if err == nil || asked != 5 || !strings.Contains(err.Error(), "(5 tries)") {
		t.Errorf("%v, asked %d times", err, asked)
	}
	at := strings.TrimPrefix(server.URL, "http://")
	if len(notes) != 1 || notes[0] != "it, 1 of 5 at "+at+": 503 Service Unavailable" {
		t.Errorf("told %q", notes)
	}
	asked = 0
	_, _, _ = f.Get(t.Context(), "it", []Location{{URL: server.URL}, {URL: server.URL + "/other"}}, 1)
	if asked != 2+5 {
		t.Errorf("asked %d times where there is another place", asked)
	}
	told := make(chan string, 8)
	ctx, dog := watch(t.Context(), 100*time.Millisecond, func(text string) { told <- text })
	<-ctx.Done()
	dog.stop()
	if len(told) != 0 || !errors.Is(context.Cause(ctx), errHang) {
		t.Errorf("%d words before the end, %v", len(told), context.Cause(ctx))
	}
	ctx, dog = watch(t.Context(), time.Hour, func(text string) { told <- text })
	dog.notice = time.Millisecond
	dog.answered.Store(true)
	dog.restart()
	if got := <-told; got != "no byte for 1ms; waiting" || ctx.Err() != nil {
		t.Errorf("%q, %v", got, ctx.Err())
	}
	dog.stop()
}

func TestErrorWithoutFailures(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(&Error{Name: "x"}); got != "cannot fetch x: no known location" {
		t.Errorf("got %q", got)
	}
}

// Every try is a detail with its URL, in which no secret stands.
func TestTriesAreDetails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var said []string
	report := func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == progress.Detail {
			said = append(said, e.Task+" "+e.Text)
		}
	}
	tries := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries++; r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if tries == 2 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("x"))
	}))
	defer server.Close()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := New(s, Options{Retries: 2, Backoff: time.Millisecond, Report: report, Netrc: "/nonexistent"})
	secret := strings.Replace(server.URL, "http://", "http://me:s3cret@", 1) + "/it?X-Amz-Signature=s3cret"
	if _, _, err := f.Get(t.Context(), "it", []Location{{URL: server.URL + "/gone"}, {URL: secret}}, 1); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(said, "\n")
	if len(said) != 3 || said[0] != "it "+server.URL+"/gone" || !strings.HasSuffix(said[2], " (try 2)") || !strings.Contains(said[1], "/it") || strings.Contains(all, "s3cret") {
		t.Errorf("said %q", said)
	}
}
