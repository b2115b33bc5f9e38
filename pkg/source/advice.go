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

// dialError is a server that could not be connected to, in one short sentence.
type dialError struct {
	text   string
	silent bool // nobody answered, which took its time
	err    error
}

func (e *dialError) Error() string { return e.text }
func (e *dialError) Unwrap() error { return e.err }

// connecting makes a *dialError of an error of net.Dialer's, nil of any other.
// Where several ways were tried, it stands for all of them.
func connecting(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &permanentError{&dialError{text: fmt.Sprintf("lookup %s: no such host", dns.Name), err: dns}}
	case errors.As(err, &dns) && dns.Server != "":
		return &dialError{text: fmt.Sprintf("lookup %s: the nameserver %s gives no answer", dns.Name, dns.Server), silent: true, err: dns}
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

// Unreachable says that a server could not be connected to at all.
func Unreachable(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// NoNetwork is the hint where no server can be connected to.
const NoNetwork = "no network? Check the name, and that this machine is connected; where it needs a proxy, HTTPS_PROXY=http://HOST:PORT names it. What has arrived is kept"

// advise adds what a user can do about it. gone is the hint where every place
// says that it has no such thing, "" for the usual one.
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
	// Whoever answered knows better than whoever did not.
	for _, advice := range []func(Failure) string{f.onStatus, onSilence} {
		for _, failure := range e.Failures {
			if text := advice(failure); text != "" {
				return hint.With(e, "%s", text)
			}
		}
	}
	return e
}

// onSilence is about a place that gave no answer to speak of.
func onSilence(failure Failure) string {
	var permanent *permanentError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(failure.Err, &authority):
		return "where a proxy has certificates of its own, SSL_CERT_FILE names the file of their authority"
	case !errors.As(failure.Err, &permanent):
		return "run the same command again: what has arrived is kept; a proxy is taken from HTTPS_PROXY"
	}
	return ""
}

// onStatus is about a place that answered.
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
		return fmt.Sprintf("%s refuses the login that %s has for it", host, f.logins().Path)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Sprintf("%s may want a login: write it into ~/.netrc, as machine %s login USER password PASSWORD", host, host)
	case code == http.StatusProxyAuthRequired:
		return "the proxy wants a login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
	case code == http.StatusTooManyRequests:
		return fmt.Sprintf("%s limits how much is fetched: run the same command again later, or name another place; what has arrived is kept", host)
	case code == http.StatusNotFound, code == http.StatusGone:
		return "check the address: curl -I " + where
	case code >= http.StatusInternalServerError:
		return fmt.Sprintf("%s is in trouble: run the same command again later, or name another place; what has arrived is kept", host)
	}
	return ""
}

// tellEvery is how long nothing of the same kind is said again about a host:
// many downloads wait for it at once.
const tellEvery = 5 * time.Second

// tell says what a host is waited for, or tried again for.
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
