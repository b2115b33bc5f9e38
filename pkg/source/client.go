package source

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/hint"
)

// maxRedirects limits a chain of redirects, like browsers and net/http.
const maxRedirects = 10

// How long a connection may take to be made, and how often an idle one is
// probed.
const (
	dialTimeout = 10 * time.Second
	keepAlive   = 30 * time.Second
)

// newTransport makes the connections of a Fetcher. HTTP/2 stays off: one
// connection a download keeps a mirror's stall to that download, and large
// bodies cost less.
func newTransport() *http.Transport {
	const (
		idle       = 90 * time.Second
		perHost    = 16
		bufferSize = 64 << 10
	)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         DialContext,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     idle,
		MaxIdleConnsPerHost: perHost,
		ReadBufferSize:      bufferSize,
		DisableCompression:  true,
	}
}

// clientFor is the client of a location, with the redirects that are not
// allowed refused.
func (f *Fetcher) clientFor(l Location) *http.Client {
	c := *f.client
	if l.Client != nil {
		c = *l.Client
	}
	theirs := c.CheckRedirect
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if err := f.checkRedirect(r, via); err != nil {
			return err
		}
		if theirs != nil {
			return theirs(r, via)
		}
		return nil
	}
	return &c
}

// checkURL refuses URLs that must not be requested.
func (f *Fetcher) checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "https" && u.Host != "":
		return nil
	case u.Scheme == "http" && u.Host != "":
		if f.opt.Insecure || IsLoopback(u.Hostname()) {
			return nil
		}
		return hint.With(errors.New("http is allowed only to this machine"), "to allow it, if the network is trusted: --insecure")
	}
	return fmt.Errorf("want an https URL, not %q", u.Scheme+"://"+u.Host)
}

// IsLoopback reports whether a host name or address is this machine: localhost,
// 127.0.0.0/8, ::1.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// place is a parsed Location: a local path or a URL.
type place struct {
	path string
	url  *url.URL
}

// parse reads the URL of a location. Its errors are permanent.
func (f *Fetcher) parse(l Location) (place, error) {
	if filepath.IsAbs(l.URL) {
		return place{path: l.URL}, nil
	}
	u, err := url.Parse(l.URL)
	if err != nil {
		return place{}, &permanentError{errors.New("invalid URL")}
	}
	if u.Scheme == "file" {
		if (u.Host != "" && u.Host != "localhost") || !filepath.IsAbs(u.Path) {
			return place{}, &permanentError{errors.New("want file:// with an absolute path")}
		}
		return place{path: u.Path}, nil
	}
	if err := f.checkURL(u); err != nil {
		return place{}, &permanentError{err}
	}
	return place{url: u}, nil
}

// show is the URL of a location as it may be printed: without a secret.
func show(l Location) string {
	u, err := url.Parse(l.URL)
	if err != nil {
		return "(an invalid URL)"
	}
	return credential.Redact(u.Redacted())
}

// host is what a location shares with others when it does not answer; "" for
// files.
func host(l Location) string {
	u, err := url.Parse(l.URL)
	if err != nil {
		return ""
	}
	return u.Host
}
