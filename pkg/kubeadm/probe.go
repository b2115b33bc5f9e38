package kubeadm

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"kubecrate/pkg/clusterhttp"
	"kubecrate/pkg/hint"
)

// answer is what an API server says without authentication: the cluster it belongs
// to and the bootstrap tokens with which a host can join. The connection is not
// authenticated, so it serves messages only: kubeadm join verifies.
type answer struct {
	cluster
	tokens map[string]bool // by the public part of the token
}

// A probe asks for cluster-info, which kubeadm makes public.
const (
	probePath  = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
	mostAnswer = 1 << 20
	signature  = "jws-kubeconfig-" // and the token's public part
)

// errNotYet is an API server that answers, but whose cluster is still being made.
var errNotYet = errors.New("the API server is up, but the master is not finished")

// probe connects to the API server at endpoint, HOST:PORT, and asks for its
// identity; a nil d dials through the host's own network. The error names the cause
// and carries a hint.
func probe(ctx context.Context, d clusterhttp.Dialer, endpoint string) (*answer, error) {
	// The server is not authenticated yet, and no secret is sent to it: the ticket
	// pins the CA, and kubeadm join checks that.
	unknown := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, //nolint:gosec // G402: see above
		VerifyConnection: func(state tls.ConnectionState) error { return clocks(state, time.Now()) }}
	client := clusterhttp.New(clusterhttp.Options{Dialer: d, TLS: unknown, MaxBody: mostAnswer}, endpoint)
	body, err := client.Get(ctx, endpoint, probePath)
	if err != nil {
		return nil, unasked(endpoint, err)
	}
	return readAnswer(body)
}

// unasked explains why the API server at endpoint could not be asked.
func unasked(endpoint string, err error) error {
	var (
		dial      *clusterhttp.DialError
		handshake *clusterhttp.HandshakeError
		other     *clusterhttp.NotHTTPError
		status    *clusterhttp.StatusError
		clock     *ClockError
	)
	switch {
	case errors.As(err, &dial):
		return unreached(endpoint, dial.Err)
	case errors.As(err, &handshake) && errors.As(err, &clock):
		return handshake.Err
	case errors.As(err, &handshake):
		return hint.With(fmt.Errorf("what listens at %s is not an API server: %w", endpoint, err), "on the master: ss -lntp shows what listens there; --endpoint HOST:PORT names another")
	case errors.As(err, &other):
		return errors.New("it does not speak HTTP")
	case errors.As(err, &status):
		return errNotYet
	}
	return fmt.Errorf("cannot ask the API server at %s: %w", endpoint, err)
}

// readAnswer reads the ConfigMap cluster-info.
func readAnswer(body []byte) (*answer, error) {
	var info struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, fmt.Errorf("cannot read the API server's cluster-info: %w", err)
	}
	a := &answer{tokens: map[string]bool{}}
	for key := range info.Data {
		if id, ok := strings.CutPrefix(key, signature); ok {
			a.tokens[id] = true
		}
	}
	var ok bool
	if a.cluster, ok = readKubeconfig(info.Data["kubeconfig"]); !ok {
		return nil, errNotYet
	}
	return a, nil
}

// ClockError is a certificate that is not yet valid, or no longer, by this host's
// clock: one of the clocks is wrong.
type ClockError struct{ Now, NotBefore, NotAfter time.Time }

// Error names both clocks.
func (e *ClockError) Error() string {
	if e.Now.Before(e.NotBefore) {
		return fmt.Sprintf("this host's clock says %s, but the master's certificate begins at %s by the master's clock",
			e.Now.Format(time.RFC3339), e.NotBefore.Format(time.RFC3339))
	}
	return fmt.Sprintf("this host's clock says %s, but the master's certificate ended at %s", e.Now.Format(time.RFC3339), e.NotAfter.Format(time.RFC3339))
}

// clocks compares the clock of this host with the certificate of the server.
func clocks(state tls.ConnectionState, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the API server sent no certificate")
	}
	cert := state.PeerCertificates[0]
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		e := &ClockError{now.UTC(), cert.NotBefore.UTC(), cert.NotAfter.UTC()}
		return hint.With(e, "compare date here and on the master; chronyc makestep, or date -s 'YYYY-MM-DD HH:MM:SS' where a clock is wrong")
	}
	return nil
}

// unreached explains why there is no connection, with a hint.
func unreached(endpoint string, err error) error {
	name, port, _ := net.SplitHostPort(endpoint)
	var lookup *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &lookup):
		return hint.With(fmt.Errorf("the name %s has no address on this host", name), "--hosts %s=ADDRESS=master, or a line 'ADDRESS %s' in /etc/hosts", name, name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint.With(fmt.Errorf("%s is up, but nothing listens on port %s", name, port), "on the master: ./install status")
	case errors.Is(err, syscall.ENETUNREACH):
		return hint.With(fmt.Errorf("this host has no route to %s", name), "ip route get %s; ip address", name)
	case errors.Is(err, syscall.EHOSTUNREACH):
		return hint.With(fmt.Errorf("%s is off, or its firewall rejects connections to port %s", name, port),
			"ping -c 3 %s; if it answers, check the firewall on the master: iptables -S INPUT", name)
	case errors.As(err, &timeout) && timeout.Timeout():
		return hint.With(fmt.Errorf("%s does not answer on port %s: it is off, or its firewall drops connections", name, port),
			"ping -c 3 %s; if it answers, check the firewall on the master: iptables -S INPUT", name)
	}
	return fmt.Errorf("cannot connect to %s: %w", endpoint, err)
}
