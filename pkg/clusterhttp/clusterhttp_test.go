package clusterhttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kubecrate/pkg/clusterhttp"
)

// dialer counts what is dialed.
type dialer struct{ dialed []string }

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.dialed = append(d.dialed, address)
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func TestGet(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 2000))
		case "/away":
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		case "/":
			_, _ = io.WriteString(w, "hello "+r.Host)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	for path, want := range map[string]struct{ body, err string }{
		"/":     {"hello " + address, ""},
		"/long": {strings.Repeat("x", 1000), ""},
		"/away": {"", "it answers 302 Found"},
		"/x":    {"", "it answers 404 Not Found"},
	} {
		d := &dialer{}
		body, err := clusterhttp.New(clusterhttp.Options{Dialer: d, MaxBody: 1000}, address).Get(t.Context(), address, path)
		if string(body) != want.body || (err == nil) != (want.err == "") || err != nil && err.Error() != want.err {
			t.Errorf("%s: %q, %v", path, body, err)
		}
		if len(d.dialed) != 1 || d.dialed[0] != address {
			t.Errorf("%s: dialed %v", path, d.dialed)
		}
	}
}

// TestOnlyItsAddresses: a client connects to what it was made for, whatever it is
// asked for, and whatever the environment says of proxies.
func TestOnlyItsAddresses(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, server.URL)
	}
	d := &dialer{}
	c := clusterhttp.New(clusterhttp.Options{Dialer: d, MaxBody: 1}, "192.168.4.11:6443", "192.168.4.12:6443")
	for _, address := range []string{server.Listener.Addr().String(), "192.168.4.11:80", "192.168.4.11", "example.org:443", ""} {
		_, err := c.Get(t.Context(), address, "/")
		if !errors.Is(err, clusterhttp.ErrAddress) || !strings.Contains(err.Error(), "cannot connect to "+address+": not an address of this cluster") || !strings.Contains(err.Error(), "192.168.4.12:6443") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if d.dialed != nil {
		t.Errorf("dialed %v", d.dialed)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	server.Config.ErrorLog = nil
	address := server.Listener.Addr().String()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	refused := errors.New("not this one")
	for _, c := range []struct {
		name   string
		config *tls.Config
		fails  bool
	}{
		{"trusted", &tls.Config{RootCAs: pool, ServerName: "example.com"}, false},
		{"another CA", &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "example.com"}, true},
		{"another name", &tls.Config{RootCAs: pool, ServerName: "example.org"}, true},
		{"looked at only", &tls.Config{InsecureSkipVerify: true}, false},
		{"refused", &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return refused }}, true},
	} {
		body, err := clusterhttp.New(clusterhttp.Options{TLS: c.config, MaxBody: 100}, address).Get(t.Context(), address, "/")
		var handshake *clusterhttp.HandshakeError
		if errors.As(err, &handshake) != c.fails || (string(body) == "hello") == c.fails || errors.Is(err, refused) != (c.name == "refused") {
			t.Errorf("%s: %q, %v", c.name, body, err)
		}
	}
}

// pipe is a server that writes its answer once it has read something.
type pipe struct {
	parts []string
	stays bool // and does not close the connection
}

func (p pipe) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		_, _ = theirs.Read(make([]byte, 1<<12))
		for _, part := range p.parts {
			if _, err := io.WriteString(theirs, part); err != nil {
				break
			}
		}
		if p.stays {
			<-ctx.Done()
		}
		_ = theirs.Close()
	}()
	return ours, nil
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, err string
		pipe            pipe
	}{
		{"in pieces", "hello", "", pipe{parts: []string{"HT", "TP/1.0 ", "200 OK\r\n\r", "\nhel", "lo"}}},
		{"nothing", "", `it answers "", which is not HTTP`, pipe{}},
		{"too little", "", `it answers "HTTP", which is not HTTP`, pipe{parts: []string{"HTTP"}}},
		{"SSH", "", `it answers "SSH-2.0-OpenSSH_7.4\r", which is not HTTP`, pipe{parts: []string{"SSH-2.0-OpenSSH_7.4\r\nmore"}}},
		{"a long line", "", `it answers "` + strings.Repeat("x", 60) + `", which is not HTTP`, pipe{parts: []string{strings.Repeat("x", 100)}}},
		{"silence", "", os.ErrDeadlineExceeded.Error(), pipe{stays: true}},
		{"silence in the middle", "", os.ErrDeadlineExceeded.Error(), pipe{parts: []string{"HTTP/1.1 200 OK\r\n\r\nhel"}, stays: true}},
		{"a head without an end", "", "exceeded", pipe{parts: []string{"HTTP/1.1 200 OK\r\n", strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 100)}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			body, err := clusterhttp.New(clusterhttp.Options{Dialer: c.pipe, MaxBody: 100}, "10.0.0.1:80").Get(t.Context(), "10.0.0.1:80", "/")
			if (err == nil) != (c.err == "") || err == nil && string(body) != c.body || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %q, %v", c.name, body, err)
			}
			if waited := time.Since(began); waited > 5*time.Second || c.pipe.stays && waited == 0 {
				t.Errorf("%s: took %s", c.name, waited)
			}
		})
	}
}

func TestStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := clusterhttp.New(clusterhttp.Options{Dialer: pipe{stays: true}}, "10.0.0.1:80").Get(ctx, "10.0.0.1:80", "/")
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.0 200 OK\r\n\r\nipvs")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nipvs\r\n0\r\n\r\n")
	f.Add("HTTP/1.1 403\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		const most = 10
		body, _ := clusterhttp.New(clusterhttp.Options{Dialer: pipe{parts: []string{text}}, MaxBody: most}, "10.0.0.1:80").Get(t.Context(), "10.0.0.1:80", "/")
		if len(body) > most || len(body) > len(text) {
			t.Errorf("a body of %d bytes in %d", len(body), len(text))
		}
	})
}
