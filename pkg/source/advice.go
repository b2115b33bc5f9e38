package source

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/progress"
)

// dialError is a failed connection, in one short sentence.
type dialError struct {
	text   string
	silent bool // no answer, until a timeout
	err    error
}

func (e *dialError) Error() string { return e.text }
func (e *dialError) Unwrap() error { return e.err }

// connecting turns an error of net.Dialer into a *dialError, and any other into
// nil. It covers all addresses that were tried.
func connecting(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &permanentError{&dialError{text: fmt.Sprintf("lookup %s: no such host", dns.Name), err: dns}}
	case errors.As(err, &dns) && dns.Server != "":
		return &dialError{text: fmt.Sprintf("lookup %s: no answer from the nameserver %s", dns.Name, dns.Server), silent: true, err: dns}
	case errors.As(err, &dns):
		return &dialError{text: fmt.Sprintf("lookup %s: %s", dns.Name, dns.Err), silent: dns.IsTimeout, err: dns}
	case !errors.As(err, &op):
		return nil
	}
	at := ""
	if op.Op == "proxyconnect" {
		at = "the proxy "
		if !errors.As(op.Err, &op) {
			return nil
		}
	}
	if op.Op != "dial" {
		return nil
	}
	if op.Addr != nil {
		at += op.Addr.String()
	} else {
		at += op.Net
	}
	var number syscall.Errno
	switch {
	case op.Timeout():
		return &dialError{text: fmt.Sprintf("cannot connect to %s: no answer within %v", at, dialTimeout), silent: true, err: op}
	case errors.As(err, &number):
		return &dialError{text: fmt.Sprintf("cannot connect to %s: %v", at, number), err: op}
	}
	return &dialError{text: fmt.Sprintf("cannot connect to %s: %v", at, op.Err), err: op}
}

// Unreachable reports whether no connection to a server could be made.
func Unreachable(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// NoNetwork is the hint if no server can be reached.
const NoNetwork = "no network? Check the name and the connection of this machine; to use a proxy: HTTPS_PROXY=http://HOST:PORT. Partial downloads are kept"

// advise adds a hint. gone is the hint if no location has the content, "" for the
// usual one.
func (f *Fetcher) advise(e *Error, gone string) error {
	if hint.Of(e) != "" || len(e.Failures) == 0 {
		return e
	}
	missing, unreachable := 0, 0
	for _, failure := range e.Failures {
		var status *StatusError
		if Unreachable(failure.Err) {
			unreachable++
		}
		if errors.As(failure.Err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone) {
			missing++
		}
	}
	switch {
	case unreachable == len(e.Failures):
		return hint.With(e, "%s", NoNetwork)
	case missing == len(e.Failures) && gone != "":
		return hint.With(e, "%s", gone)
	}
	// An answer is more informative than a timeout.
	for _, advice := range []func(Failure) string{f.onStatus, onSilence} {
		for _, failure := range e.Failures {
			if text := advice(failure); text != "" {
				return hint.With(e, "%s", text)
			}
		}
	}
	return e
}

// onSilence is the hint for a location without a usable answer.
func onSilence(failure Failure) string {
	var permanent *permanentError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(failure.Err, &authority):
		return "for a proxy with its own certificates, set SSL_CERT_FILE to the file of its certificate authority"
	case !errors.As(failure.Err, &permanent):
		return "run the same command again: partial downloads are kept; to use a proxy, set HTTPS_PROXY"
	}
	return ""
}

// onStatus is the hint for a location that answered.
func (f *Fetcher) onStatus(failure Failure) string {
	var status *StatusError
	if !errors.As(failure.Err, &status) {
		return ""
	}
	code, where := status.Code, failure.URL
	host := "HOST"
	if u, err := url.Parse(where); err == nil && u.Host != "" {
		host = u.Host
	}
	_, known := f.Login(host)
	switch {
	case known && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return fmt.Sprintf("%s refuses the login in %s", host, f.logins().Path)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Sprintf("%s may require a login: write to ~/.netrc: machine %s login USER password PASSWORD", host, host)
	case code == http.StatusProxyAuthRequired:
		return "the proxy requires a login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
	case code == http.StatusTooManyRequests:
		return fmt.Sprintf("%s limits downloads: run the same command again later, or name another location; partial downloads are kept", host)
	case code == http.StatusNotFound, code == http.StatusGone:
		return "check the address: curl -I " + where
	case code >= http.StatusInternalServerError:
		return fmt.Sprintf("%s has a server error: run the same command again later, or name another location; partial downloads are kept", host)
	}
	return ""
}

// tellEvery limits repeated messages of one kind about a host: many downloads may
// wait for it.
const tellEvery = 5 * time.Second

// tell reports waiting for a host or another attempt.
func (f *Fetcher) tell(e progress.Event) {
	key := string(e.Kind) + e.Host
	f.mu.Lock()
	quiet := time.Since(f.told[key]) < tellEvery
	if !quiet {
		f.told[key] = time.Now()
	}
	f.mu.Unlock()
	if !quiet {
		e.Stage = stage
		f.opt.Report.Report(e)
	}
}
