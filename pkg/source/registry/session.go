package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// session authenticates requests to one repository. The handshake (which also
// finds out whether the registry speaks https) happens at the first request
// and again after one that failed, never before something is wanted.
type session struct {
	repo     name.Repository
	keychain authn.Keychain
	next     http.RoundTripper

	turn  chan struct{} // holds one token, whose holder may access ready
	ready http.RoundTripper
	pause atomic.Pointer[string] // Retry-After of the last refusal
}

func newSession(repo name.Repository, keychain authn.Keychain, next http.RoundTripper) *session {
	s := &session{repo: repo, keychain: keychain, next: next, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// RoundTrip sends req with what the registry wants as proof. A handshake, or a
// token, that is refused is answered with the status of the refusal, its
// Retry-After and what was said about it.
func (s *session) RoundTrip(req *http.Request) (*http.Response, error) {
	ready, err := s.handshake(req.Context())
	var resp *http.Response
	if err == nil {
		resp, err = ready.RoundTrip(req.Clone(req.Context())) // it changes the request
	}
	var refused *transport.Error
	if errors.As(err, &refused) && refused.StatusCode != 0 {
		return s.refusal(req, refused)
	}
	return resp, err
}

// noting remembers the Retry-After of refusals, which the errors of a handshake
// do not carry.
func (s *session) noting(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && resp.StatusCode >= http.StatusBadRequest {
			pause := resp.Header.Get("Retry-After")
			s.pause.Store(&pause)
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (s *session) handshake(ctx context.Context) (http.RoundTripper, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	if s.ready != nil {
		return s.ready, nil
	}
	auth, err := authn.Resolve(ctx, s.keychain, s.repo)
	if err != nil {
		return nil, err
	}
	ready, err := transport.NewWithContext(ctx, s.repo.Registry, auth, s.noting(transport.NewUserAgent(s.next, "kubecrate")), []string{s.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	s.ready = ready
	return ready, nil
}

// refusal is the answer that a handshake ended with.
func (s *session) refusal(req *http.Request, refused *transport.Error) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"errors": refused.Errors})
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if pause := s.pause.Load(); pause != nil && *pause != "" {
		header.Set("Retry-After", *pause)
	}
	return &http.Response{
		Status: http.StatusText(refused.StatusCode), StatusCode: refused.StatusCode,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: req,
	}, nil
}
