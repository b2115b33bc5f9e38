// Package trust verifies who made an archive. It creates keys and signatures on the
// connected machine, and decides on each host whether an archive is signed with the
// key that the host trusts.
//
// A secret key is one minisign file: an Ed25519 key, encrypted with a passphrase. The
// ECDSA key for stock openssl is derived from it, see SecretKey, so there is no second
// secret to store. A host verifies the signature of index.json: the index contains the
// hash of every member, and archive.Reader compares each at the moment of use. The
// signatures of whole files are for stock tools. docs/FORMAT.md lists the names,
// docs/SECURITY.md describes the guarantees.
package trust

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"

	"kubecrate/pkg/media"
)

// UntrustedError says that an archive is not signed as required. Path is the file or
// member concerned.
type UntrustedError struct {
	Path   string
	Reason string
}

// Error names the file and the reason.
func (e *UntrustedError) Error() string { return fmt.Sprintf("cannot trust %s: %s", e.Path, e.Reason) }

// ExitCode is the exit code of both programs for an untrusted archive.
func (*UntrustedError) ExitCode() int { return 4 }

func untrusted(path, format string, args ...any) error {
	return &UntrustedError{Path: path, Reason: fmt.Sprintf(format, args...)}
}

// PublicKey is a minisign public key. The zero value is not a key.
type PublicKey struct{ mini minisign.PublicKey }

// errNoKey is ParsePublicKey's error for any other text.
var errNoKey = errors.New("not a minisign public key")

// ParsePublicKey reads a public key: the two lines of a minisign file, or only the
// second.
func ParsePublicKey(text string) (k PublicKey, err error) {
	const comment = "untrusted comment:"
	text = strings.TrimSpace(text)
	if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, comment) {
		text = strings.TrimSpace(rest)
	}
	// Only the canonical encoding, that of String, is accepted.
	if err := k.mini.UnmarshalText([]byte(text)); err != nil || k.mini.String() != text {
		return PublicKey{}, errNoKey
	}
	return k, nil
}

// ReadPublicKey reads a public key from a file, or from the argument if it is a key
// itself.
func ReadPublicKey(fileOrKey string) (PublicKey, error) {
	if k, err := ParsePublicKey(fileOrKey); err == nil {
		return k, nil
	}
	text, err := media.Named(fileOrKey).Read(maxSmall)
	if err != nil {
		return PublicKey{}, fmt.Errorf("cannot read the public key: %w", err)
	}
	k, err := ParsePublicKey(string(text))
	if err != nil {
		return k, fmt.Errorf("cannot read the public key %s: %w", fileOrKey, err)
	}
	return k, nil
}

// String returns the key as minisign writes it, for minisign -P.
func (k PublicKey) String() string { return k.mini.String() }

// file returns the content of a minisign key file.
func (k PublicKey) file() []byte {
	text, err := k.mini.MarshalText()
	if err != nil {
		panic(err) // documented never to fail
	}
	return append(text, '\n')
}

// Equal reports whether both are the same key.
func (k PublicKey) Equal(other PublicKey) bool { return k.mini.Equal(other.mini) }

// Fingerprint is for people to compare: the first half of the key's SHA-256 in groups
// of hex digits. With stock tools, from a key file:
//
//	sed -n 2p KEY.pub | base64 -d | sha256sum
func (k PublicKey) Fingerprint() string {
	const half, group = sha256.Size / 2, 4
	raw, err := base64.StdEncoding.DecodeString(k.String())
	if err != nil {
		panic(err) // String's own output
	}
	sum := sha256.Sum256(raw)
	digits := hex.EncodeToString(sum[:half])
	var groups []string
	for i := 0; i < len(digits); i += group {
		groups = append(groups, digits[i:i+group])
	}
	return strings.Join(groups, " ")
}

// maxSmall is the maximum size of a key or signature in bytes: a stick is untrusted.
const maxSmall = 64 << 10
