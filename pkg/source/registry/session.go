package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

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

	turn  chan struct{} // holds one token: whoever has it may look at ready
	ready http.RoundTripper
}

func newSession(repo name.Repository, keychain authn.Keychain, next http.RoundTripper) *session {
	s := &session{repo: repo, keychain: keychain, next: next, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// RoundTrip sends req with what the registry wants as proof. A handshake that
// the registry refuses is answered with the status of the refusal.
func (s *session) RoundTrip(req *http.Request) (*http.Response, error) {
	ready, err := s.handshake(req.Context())
	if err != nil {
		var refused *transport.Error
		if errors.As(err, &refused) && refused.StatusCode != 0 {
			return answer(req, refused.StatusCode), nil
		}
		return nil, err
	}
	return ready.RoundTrip(req.Clone(req.Context())) // it changes the request
}

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
	ready, err := transport.NewWithContext(ctx, s.repo.Registry, auth, transport.NewUserAgent(s.next, "kubecrate"), []string{s.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	s.ready = ready
	return ready, nil
}

func answer(req *http.Request, status int) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req,
	}
}
