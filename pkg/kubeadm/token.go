package kubeadm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/kubectl"
)

// A bootstrap token is 6 public and 16 secret characters of a-z and 0-9; a
// certificate key is an AES-256 key in hex (kubeadm's own forms).
const (
	tokenID        = 6
	tokenSecret    = 16
	certificateKey = 32 // bytes
)

// NewToken makes a bootstrap token. crypto/rand never fails.
func NewToken() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	const fair = 256 / len(letters) * len(letters) // bytes from here on would favour the first letters
	text := make([]byte, 0, tokenID+tokenSecret)
	var b [1]byte
	for len(text) < cap(text) {
		if _, err := rand.Read(b[:]); err == nil && int(b[0]) < fair {
			text = append(text, letters[int(b[0])%len(letters)])
		}
	}
	return string(text[:tokenID]) + "." + string(text[tokenID:])
}

func newCertificateKey() string {
	b := make([]byte, certificateKey)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// publicPart of a token identifies it without its secret.
func publicPart(token string) string {
	id, _, _ := strings.Cut(token, ".")
	return id
}

// tokenLife is how long a token remains valid in the cluster; 0 if it is not. It reads
// the API server's own object, whose format is the same in every release.
func tokenLife(ctx context.Context, h *host.Host, token string, now time.Time) (time.Duration, error) {
	const forever = 100 * 365 * 24 * time.Hour
	id, secret, _ := strings.Cut(token, ".")
	var object struct {
		Data map[string][]byte `json:"data"`
	}
	err := through(AdminConf).Object(ctx, h, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+id, &object)
	if errors.Is(err, kubectl.ErrAbsent) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look for token %s: %w", id, err)
	}
	if string(object.Data["token-secret"]) != secret {
		return 0, nil
	}
	until := string(object.Data["expiration"])
	if until == "" {
		return forever, nil
	}
	at, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return 0, fmt.Errorf("cannot read when token %s expires: %w", id, err)
	}
	return max(0, at.Sub(now)), nil
}

// certificatesOffered reports whether the cluster holds the control plane's keys for
// a further master, which it does for two hours.
func certificatesOffered(ctx context.Context, h *host.Host) (bool, error) {
	_, err := through(AdminConf).Raw(ctx, h, "/api/v1/namespaces/kube-system/secrets/kubeadm-certs")
	if errors.Is(err, kubectl.ErrAbsent) {
		return false, nil
	}
	return err == nil, err
}

// deleteToken deletes the token with public part id; a missing one is not an error.
func (o *Options) deleteToken(ctx context.Context, h *host.Host, id string) error {
	switch _, err := through(AdminConf).Raw(ctx, h, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+id); {
	case errors.Is(err, kubectl.ErrAbsent):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look for token %s: %w", id, err)
	}
	err := h.Change(ctx, host.Command("kubeadm", "token", "delete", id, "--kubeconfig", AdminConf), nil)
	return o.explain(h, "revoke token "+id, err)
}

// token is a bootstrap token that the cluster holds, without its secret.
type token struct {
	id          string // its public part
	description string
	expires     time.Time // zero if it does not
	usable      bool      // hosts can authenticate with it to join
}

// joins reports whether a host can join with t at now.
func (t token) joins(now time.Time) bool {
	return t.usable && (t.expires.IsZero() || now.Before(t.expires))
}

// sentence describes a token that is not ours, and how to delete it.
func (t token) sentence() string {
	until := "without limit"
	if !t.expires.IsZero() {
		until = "until " + t.expires.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("token %s, which kubecrate did not make, lets hosts join %s; kubeadm token delete %s ends it", t.id, until, t.id)
}

// tokenIDForm is that of the public part.
var tokenIDForm = regexp.MustCompile(`^[a-z0-9]{6}$`)

// listTokens lists every bootstrap token of the cluster, including expired ones that
// are not removed yet.
func listTokens(ctx context.Context, h *host.Host) ([]token, error) {
	const kind = "bootstrap.kubernetes.io/token"
	var list struct {
		Items []struct {
			Type string            `json:"type"`
			Data map[string][]byte `json:"data"`
		} `json:"items"`
	}
	path := "/api/v1/namespaces/kube-system/secrets?fieldSelector=" + url.QueryEscape("type="+kind)
	if err := through(AdminConf).Object(ctx, h, path, &list); err != nil {
		return nil, fmt.Errorf("cannot list the tokens: %w", err)
	}
	var tokens []token
	for _, s := range list.Items {
		t := token{id: string(s.Data["token-id"]), description: string(s.Data["description"]), usable: string(s.Data["usage-bootstrap-authentication"]) == "true"}
		if s.Type != kind || !tokenIDForm.MatchString(t.id) {
			continue // the API server takes no such token for one either
		}
		if until := string(s.Data["expiration"]); until != "" {
			if t.expires, _ = time.Parse(time.RFC3339, until); t.expires.IsZero() {
				t.expires = time.Unix(0, 0) // the API server takes what it cannot read for expired
			}
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}
