package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"kubecrate/pkg/hint"
)

// reach says who can reach an address: the smaller, the more can.
type reach int

const (
	public  reach = iota
	private       // of an organisation's network
	link          // of one cable; clouds keep secrets of a machine there
	local         // of this machine
)

func (r reach) String() string {
	return [...]string{"a public address", "an address of a private network", "a link-local address", "this machine"}[r]
}

// shared is the address space of carriers (RFC 6598), and nat64 that in which
// IPv4 addresses are written as IPv6 ones (RFC 6052).
func special() (shared, nat64 netip.Prefix) {
	return netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("64:ff9b::/96")
}

func reachOf(addr netip.Addr) reach {
	addr = addr.Unmap().WithZone("")
	shared, nat64 := special()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case addr.IsLoopback(), addr.IsUnspecified(), addr.Is4() && addr.As4()[0] == 0:
		return local
	case addr.IsLinkLocalUnicast(), addr.IsMulticast():
		return link
	case addr.IsPrivate(), shared.Contains(addr):
		return private
	}
	return public
}

// reachOfHost judges a host by what it says of itself; a name says nothing but
// where it is this machine.
func reachOfHost(host string) (r reach, known bool) {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return local, true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	if err != nil {
		return public, false
	}
	return reachOf(addr), true
}

// errRedirect is a redirect that is not followed.
var errRedirect = errors.New("refused to follow a redirect")

func refused(to, format string, args ...any) error {
	return hint.With(&permanentError{fmt.Errorf("%w to %s: %s", errRedirect, to, fmt.Sprintf(format, args...))},
		"if you trust that server, name the target URL in the manifest")
}

// origin is what may be shown of a URL: no query, which may hold a secret.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// CheckRedirect returns the reason why a request must not be redirected from one
// URL to another: never from https to http, and never to a less public address:
// from a public one to a private network or to this machine. ctx is the request's.
func CheckRedirect(ctx context.Context, from, to *url.URL) error {
	if from.Scheme == "https" && to.Scheme != "https" {
		return refused(origin(to), "it goes from https to %s", to.Scheme)
	}
	if strings.ContainsFunc(to.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return refused(origin(to), "its name is not ASCII")
	}
	bound, _ := reachOfHost(from.Hostname())
	if j, ok := ctx.Value(journeyKey{}).(*journey); ok {
		bound = max(bound, j.limit())
	}
	if next, known := reachOfHost(to.Hostname()); known && next > bound {
		return refused(origin(to), "that is %s, but %s is not", next, from.Hostname())
	}
	return nil
}

// journey is a request with all its redirects. What a name leads to is known
// only when it is connected to: the first address bounds the others.
type journey struct {
	mu     sync.Mutex
	first  string // the host that was asked
	bound  reach
	hops   int
	target string // the host where it is going
	asked  string // the host of the connection: the target's, or a proxy's
}

type journeyKey struct{}

// travel starts a journey to u, which cancel ends where it leads too far.
func travel(ctx context.Context, u *url.URL, cancel context.CancelCauseFunc) context.Context {
	j := &journey{first: u.Hostname(), target: u.Hostname()}
	j.bound, _ = reachOfHost(u.Hostname())
	ctx = context.WithValue(ctx, journeyKey{}, j)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: j.connecting,
		GotConn: func(info httptrace.GotConnInfo) {
			if err := j.connected(info.Conn.RemoteAddr()); err != nil {
				cancel(err)
			}
		},
	})
}

func (j *journey) limit() reach {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bound
}

// redirect is where the journey goes next.
func (j *journey) redirect(u *url.URL) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hops++
	j.target = u.Hostname()
}

func (j *journey) connecting(addr string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = hostOf(addr)
}

// connected sees the address of a connection that will be used, an old one
// perhaps. A proxy's says nothing.
func (j *journey) connected(addr net.Addr) error {
	tcp, ok := addr.(*net.TCPAddr)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !ok || j.asked != j.target {
		return nil
	}
	r := reachOf(tcp.AddrPort().Addr())
	if j.hops == 0 {
		j.bound = max(j.bound, r)
		return nil
	}
	return j.judge(r)
}

func (j *journey) judge(r reach) error {
	if r > j.bound {
		return refused(j.target, "it goes to %s, but %s does not", r, j.first)
	}
	return nil
}

// DialContext connects for the transport of a client. A redirect is stopped before anything is sent where the
// address is one that it must not reach; where a proxy is asked, the proxy
// decides.
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	j, ok := ctx.Value(journeyKey{}).(*journey)
	if ok && j.leadsTo(addr) {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.judge(reachOf(at.Addr()))
		}
	}
	return d.DialContext(ctx, network, addr)
}

func (j *journey) leadsTo(addr string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hops > 0 && j.target == hostOf(addr)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// hostOf is the host of host:port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// sameOrigin says whether what is secret for one URL may be shown to the other:
// it is the same server, or the same by https, at its own port, instead of http.
func sameOrigin(a, b *url.URL) bool {
	upgraded := a.Scheme == "http" && b.Scheme == "https" && a.Hostname() == b.Hostname() && hostPort(a) == net.JoinHostPort(a.Hostname(), "80") && hostPort(b) == net.JoinHostPort(b.Hostname(), "443")
	return upgraded || a.Scheme == b.Scheme && hostPort(a) == hostPort(b)
}

// checkRedirect is the policy of all redirects of a client.
func (f *Fetcher) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return &permanentError{fmt.Errorf("more than %d redirects", maxRedirects)}
	}
	if err := f.checkURL(r.URL); err != nil {
		return &permanentError{fmt.Errorf("%w to %s: %w", errRedirect, origin(r.URL), err)}
	}
	for _, before := range via {
		if err := CheckRedirect(r.Context(), before.URL, r.URL); err != nil {
			return err
		}
		if !sameOrigin(before.URL, r.URL) {
			r.Header.Del("Authorization")
		}
	}
	r.Header.Del("Referer") // the URL before, with its query
	if j, ok := r.Context().Value(journeyKey{}).(*journey); ok {
		j.redirect(r.URL)
	}
	return nil
}
