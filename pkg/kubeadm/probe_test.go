package kubeadm

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"kubecrate/pkg/hint"
)

// serve is an API server that answers every request with response.
func serve(t *testing.T, notBefore, notAfter time.Time, response string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notBefore, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				line, err := bufio.NewReader(c).ReadString('\n')
				if err == nil && strings.HasPrefix(line, "GET /api/v1/namespaces/kube-public/configmaps/cluster-info HTTP/1.1") {
					_, _ = fmt.Fprint(c, response)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// clusterInfo is the response of an API server.
func clusterInfo(w *world) string {
	body, err := json.Marshal(map[string]any{"kind": "ConfigMap", "data": map[string]string{"kubeconfig": w.kubeconfig(), "jws-kubeconfig-abcdef": "x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + string(body)
}

func TestProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hour := time.Hour
	now := time.Now()
	a, err := probe(t.Context(), nil, serve(t, now.Add(-hour), now.Add(hour), clusterInfo(w)))
	if err != nil || a.caHash != w.caHash() || !a.tokens["abcdef"] || a.server != "https://192.168.4.11:6443" {
		t.Fatalf("%+v, %v", a, err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := silent.Addr().String()
	_ = silent.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	go func() {
		for {
			c, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(c, "SSH-2.0-OpenSSH_7.4\r\n")
			_ = c.Close()
		}
	}()
	for endpoint, want := range map[string]struct{ says, hint string }{
		serve(t, now.Add(hour), now.Add(2*hour), clusterInfo(w)):                    {"the master's certificate begins at", "chronyc makestep"},
		serve(t, now.Add(-2*hour), now.Add(-hour), clusterInfo(w)):                  {"the master's certificate ended at", "chronyc makestep"},
		serve(t, now.Add(-hour), now.Add(hour), "HTTP/1.0 404 Not Found\r\n\r\n{}"): {"the master is not finished", ""},
		serve(t, now.Add(-hour), now.Add(hour), "hello"):                            {"does not speak HTTP", ""},
		serve(t, now.Add(-hour), now.Add(hour), ""):                                 {"", ""},
		refused:                     {"nothing listens on port", "./install status"},
		plain.Addr().String():       {"is not an API server", "ss -lntp"},
		"no-such-host.invalid:6443": {"", ""}, // a resolver may say anything
	} {
		_, err := probe(t.Context(), nil, endpoint)
		if err == nil || !strings.Contains(err.Error(), want.says) || !strings.Contains(hint.Of(err), want.hint) {
			t.Errorf("%s: %v (%s), want %s", endpoint, err, hint.Of(err), want.says)
		}
	}
}

func TestUnreached(t *testing.T) {
	t.Parallel()
	op := func(err error) error { return &net.OpError{Op: "dial", Err: err} }
	for _, c := range []struct {
		err        error
		says, hint string
	}{
		{op(syscall.ECONNREFUSED), "nothing listens on port 6443", "./install status"},
		{op(syscall.EHOSTUNREACH), "its firewall rejects connections to port 6443", "on the master: iptables -S INPUT"},
		{op(syscall.ENETUNREACH), "this host has no route to k8s.lan", "ip route get k8s.lan"},
		{op(context.DeadlineExceeded), "k8s.lan does not answer on port 6443: it is off, or its firewall drops", "on the master: iptables -S INPUT"},
		{op(&net.DNSError{Name: "k8s.lan", IsNotFound: true}), "the name k8s.lan has no address", "--hosts k8s.lan=ADDRESS=master"},
		{errors.New("odd"), "cannot connect to k8s.lan:6443: odd", ""},
	} {
		err := unreached("k8s.lan:6443", c.err)
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%v: %v (%s)", c.err, err, hint.Of(err))
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("{\"data\":{\"kubeconfig\":\"server: x\\ncertificate-authority-data: QQ==\",\"jws-kubeconfig-abcdef\":\"\"}}"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := readAnswer(text)
		if (err == nil) != (a != nil) || a != nil && !strings.HasPrefix(a.caHash, "sha256:") {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

func FuzzReadKubeconfig(f *testing.F) {
	f.Add("clusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://a:6443\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := readKubeconfig(text); ok != strings.HasPrefix(c.caHash, "sha256:") {
			t.Errorf("%+v, %v", c, ok)
		}
	})
}
