package source

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/store"
)

func TestReach(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]reach{
		"127.0.0.1": local, "127.9.9.9": local, "::1": local, "0.0.0.0": local, "0.1.2.3": local, "::": local, "::ffff:127.0.0.1": local, "64:ff9b::7f00:1": local,
		"169.254.169.254": link, "fe80::1%eth0": link, "224.0.0.1": link, "10.0.0.1": private, "172.31.0.1": private, "192.168.1.1": private, "100.64.0.1": private,
		"fd00::1": private, "64:ff9b::a00:1": private, "8.8.8.8": public, "172.32.0.1": public, "2001:db8::1": public,
	} {
		if got := reachOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is %v, want %v", addr, got, want)
		}
	}
	for host, want := range map[string]reach{"localhost": local, "a.LOCALHOST.": local, "[::1]": local, "127.0.0.1": local} {
		if got, known := reachOfHost(host); got != want || !known {
			t.Errorf("%s is %v, %v", host, got, known)
		}
	}
	if _, known := reachOfHost("localhost.example"); known {
		t.Error("a name says where it is")
	}
}

func TestCheckRedirect(t *testing.T) {
	t.Parallel()
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, c := range []struct{ from, to, want string }{
		{"https://a.example/x", "https://b.example/y?sig=s3cret", ""},
		{"http://a.example", "https://b.example", ""},
		{"http://a.example", "http://b.example", ""},
		{"http://127.0.0.1:1", "http://[::1]:2", ""},
		{"http://10.0.0.1", "http://10.0.0.2", ""},
		{"http://127.0.0.1", "http://10.0.0.2", ""},
		{"http://10.0.0.1", "http://a.example", ""},
		{"https://a.example", "http://a.example/?sig=s3cret", "from https to http"},
		{"https://127.0.0.1:1", "http://127.0.0.1:2", "from https to http"},
		{"https://a.example", "https://127.0.0.1", "that is this machine"},
		{"http://a.example", "http://localhost:8080", "that is this machine"},
		{"http://a.example", "http://[::ffff:127.0.0.1]", "that is this machine"},
		{"http://a.example", "http://169.254.169.254/latest", "link-local"},
		{"http://10.0.0.1", "http://169.254.169.254/latest", "link-local"},
		{"http://8.8.8.8", "http://192.168.0.1", "private network"},
		{"http://a.example", "http://bücher.example", "not ASCII"},
	} {
		err := CheckRedirect(t.Context(), parse(c.from), parse(c.to))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.want)
		}
		if err != nil && (!errors.Is(err, errRedirect) || hint.Of(err) == "" || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s to %s: %v, hint %q", c.from, c.to, err, hint.Of(err))
		}
	}
}

// A name that leads to another machine than its server's friends is stopped at
// the connection, a new one or an old one.
func TestRedirectByName(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	to := &url.URL{Scheme: "http", Host: strings.TrimPrefix(server.URL, "http://")}
	for _, c := range []struct {
		first string
		taken bool
	}{{"http://a.example", false}, {"http://10.0.0.1", false}, {"http://127.0.0.1:1", true}} {
		first, err := url.Parse(c.first)
		if err != nil {
			t.Fatal(err)
		}
		var cause error
		ctx := travel(t.Context(), first, func(err error) { cause = err })
		j, ok := ctx.Value(journeyKey{}).(*journey)
		if !ok {
			t.Fatal("no journey")
		}
		j.redirect(to)
		conn, err := DialContext(ctx, "tcp", to.Host)
		if (err == nil) != c.taken {
			t.Errorf("from %s: %v", c.first, err)
		}
		if err == nil {
			_ = conn.Close()
		} else if !errors.Is(err, errRedirect) {
			t.Errorf("from %s: %v", c.first, err)
		}
		// An old connection to the same name.
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Transport{DialContext: (&net.Dialer{}).DialContext}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if (cause == nil) != c.taken {
			t.Errorf("from %s, connected: %v", c.first, cause)
		}
	}
}

// The first server says how far inside it is: one of a private network may lead
// to another of it.
func TestJourneyIsBoundByItsFirstAddress(t *testing.T) {
	t.Parallel()
	first := &url.URL{Scheme: "http", Host: "mirror.corp"}
	ctx := travel(t.Context(), first, func(error) {})
	j, ok := ctx.Value(journeyKey{}).(*journey)
	if !ok {
		t.Fatal("no journey")
	}
	at := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 80} }
	j.connecting("mirror.corp:80")
	if err := j.connected(at("10.0.0.1")); err != nil {
		t.Error(err)
	}
	if err := CheckRedirect(ctx, first, &url.URL{Scheme: "http", Host: "10.0.0.2"}); err != nil {
		t.Error(err)
	}
	if err := CheckRedirect(ctx, first, &url.URL{Scheme: "http", Host: "127.0.0.1"}); err == nil {
		t.Error("a private network leads to this machine")
	}
	j.redirect(&url.URL{Scheme: "https", Host: "cdn.corp"})
	j.connecting("cdn.corp:443")
	if err := j.connected(at("192.168.1.1")); err != nil {
		t.Error(err)
	}
	if err := j.connected(at("127.0.0.1")); err == nil {
		t.Error("a name of a private network leads to this machine")
	}
	j.connecting("proxy.corp:3128")
	if err := j.connected(at("127.0.0.1")); err != nil {
		t.Error("the proxy was judged:", err)
	}
}

func get(t *testing.T, o Options, l Location) (string, error) {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.Retries = 1
	body, _, err := New(s, o).Get(t.Context(), "it", []Location{l}, 1<<16)
	return string(body), err
}

// Behind a proxy on this machine, too, a public server leads nowhere inside.
func TestRedirectThroughProxy(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		http.Redirect(w, r, "http://127.0.0.1:1/secret", http.StatusFound)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DialContext: DialContext}}
	_, err = get(t, Options{Insecure: true}, Location{URL: "http://mirror.example/x", Client: client})
	if !errors.Is(err, errRedirect) || len(asked) != 1 {
		t.Errorf("%v, asked %v", err, asked)
	}
}

// A login goes to the server that it is for, and to no other.
func TestLogin(t *testing.T) {
	t.Parallel()
	const password = "s3cret-of-bob"
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" {
			t.Errorf("another server was told: %v", r.Header)
		}
		_, _ = w.Write([]byte("there"))
	}))
	defer other.Close()
	var at string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		switch {
		case user != "bob" || pass != password:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case r.URL.Path == "/here":
			http.Redirect(w, r, at+"/x", http.StatusFound)
		default:
			_, _ = w.Write([]byte("here"))
		}
	}))
	defer server.Close()
	at = server.URL
	path := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(path, []byte("machine 127.0.0.1\nlogin bob\npassword "+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"/x": "here", "/here": "here", "/away": "there"} {
		if got, err := get(t, Options{Netrc: path}, Location{URL: server.URL + from}); err != nil || got != want {
			t.Errorf("%s: %q, %v", from, got, err)
		}
	}
	_, err := get(t, Options{Netrc: filepath.Join(t.TempDir(), "none")}, Location{URL: server.URL + "/x?a=b"})
	if err == nil || !strings.Contains(hint.Of(err), "machine "+strings.TrimPrefix(server.URL, "http://")+" login USER password PASSWORD") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	wrong := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(wrong, []byte("machine 127.0.0.1 login bob password other-"+password), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = get(t, Options{Netrc: wrong}, Location{URL: server.URL + "/x"})
	if err == nil || strings.Contains(err.Error()+hint.Of(err), password) || !strings.Contains(hint.Of(err), wrong) {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://a/x", "https://a:443/y", true}, {"http://a", "https://a", true}, {"http://a:80", "https://a:443", true},
		{"https://a", "http://a", false}, {"http://a:8080", "https://a", false}, {"http://a", "https://a:8443", false},
		{"https://a", "https://sub.a", false}, {"https://a", "https://a:8443", false}, {"http://a", "https://b", false},
	} {
		a, err := url.Parse(c.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := url.Parse(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameOrigin(a, b); got != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got)
		}
	}
}

// A proxy's address in the environment is not repeated.
func TestProxyErrorsHideTheLogin(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"http://bob:s3cret@proxy:x", "bob:s3cret@proxy:3128", "http://bob:s3 cret@proxy", `http://bob:s3"cret@proxy`} {
		client := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
			_, err := url.Parse("http://[" + proxy)
			return nil, err
		}}}
		_, err := client.Get("http://127.0.0.1:1/")
		if err == nil {
			t.Fatal("no error")
		}
		text := hideProxies(err.Error(), func(name string) string {
			if name == "https_proxy" {
				return proxy
			}
			return ""
		})
		if strings.Contains(text, "cret") {
			t.Errorf("%s: %s", proxy, text)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("x"))
	if err := withoutProxy(context.Cause(ctx)); err.Error() != "x" {
		t.Error(err)
	}
}
