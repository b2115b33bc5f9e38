package kubeadm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"kubecrate/pkg/host"
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

// publicPart of a token names it where its secret must not be seen.
func publicPart(token string) string {
	id, _, _ := strings.Cut(token, ".")
	return id
}

// tokenLife says how long a token lives on in the cluster; 0 is not at all. The
// API server's own object is asked, whose form is that of every release.
func tokenLife(ctx context.Context, h *host.Host, token string, now time.Time) (time.Duration, error) {
	const forever = 100 * 365 * 24 * time.Hour
	id, secret, _ := strings.Cut(token, ".")
	var object struct {
		Data map[string][]byte `json:"data"`
	}
	err := getObject(ctx, h, AdminConf, "/api/v1/namespaces/kube-system/secrets/bootstrap-token-"+id, &object)
	if errors.Is(err, errAbsent) {
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

// certificatesOffered says whether the cluster holds the control plane's keys for
// a further master, which it does for two hours.
func certificatesOffered(ctx context.Context, h *host.Host) (bool, error) {
	_, err := get(ctx, h, AdminConf, "/api/v1/namespaces/kube-system/secrets/kubeadm-certs")
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	return err == nil, err
}

// deleteToken is no error where the token is gone. The public part names it.
func deleteToken(ctx context.Context, h *host.Host, token string) error {
	life, err := tokenLife(ctx, h, token, time.Now())
	if err != nil || life == 0 {
		return err
	}
	err = h.Do(ctx, host.Command("kubeadm", "token", "delete", publicPart(token), "--kubeconfig", AdminConf), nil)
	return explain("revoke the ticket", err, token)
}
