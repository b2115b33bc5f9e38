package source

import (
	"net/url"
	"os"
	"strconv"
	"strings"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/progress"
)

// Login is how host[:port] is logged in to, by the netrc file.
func (f *Fetcher) Login(host string) (credential.Login, bool) { return f.logins().Lookup(host) }

// readLogins reads the netrc file; one that cannot be read is reported once and
// leaves everything public within reach.
func readLogins(o Options) *credential.Netrc {
	n, err := credential.ReadNetrc(o.Netrc)
	if err != nil {
		o.Report.Report(progress.Event{Kind: progress.Warn, Stage: stage, Text: err.Error()})
	}
	return n
}

// redactedError is an error whose text has lost its secrets.
type redactedError struct {
	err  error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// withoutProxy takes the login of a proxy out of an error: net/http repeats the
// address of one that it cannot read.
func withoutProxy(err error) error {
	text := credential.Redact(hideProxies(err.Error(), os.Getenv))
	if text == err.Error() {
		return err
	}
	return &redactedError{err: err, text: text}
}

func hideProxies(text string, getenv func(string) string) string {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"} {
		address := getenv(name)
		at := strings.LastIndexByte(address, '@')
		if at < 0 {
			continue
		}
		login := address[:at]
		if _, after, ok := strings.Cut(login, "://"); ok {
			login = after
		}
		for _, spelt := range []string{login, url.PathEscape(login), url.QueryEscape(login), strings.Trim(strconv.Quote(login), `"`)} {
			if spelt != "" {
				text = strings.ReplaceAll(text, spelt+"@", credential.Hidden+"@")
			}
		}
	}
	return text
}
