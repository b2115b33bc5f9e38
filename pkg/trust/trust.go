// Package trust says who made an archive. It makes keys and signatures, on the
// connected machine, and decides on each host whether an archive is signed by
// the key that the host trusts.
//
// A secret key is one file of minisign's: an Ed25519 key, encrypted with a
// passphrase. The ECDSA key for stock openssl follows from it, see SecretKey, so
// there is no second secret to keep. The signature of index.json is what a host
// checks: the index has the hash of every member, and archive.Reader compares
// each with it at the moment of use. Those of whole files are for stock tools.
// docs/FORMAT.md lists the names, docs/SECURITY.md what all of it is worth.
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

// UntrustedError says that an archive is not signed by whom it should be. Path
// is the file or the member that shows it.
type UntrustedError struct {
	Path   string
	Reason string
}

// Error names the file and says what is wrong with it.
func (e *UntrustedError) Error() string { return fmt.Sprintf("cannot trust %s: %s", e.Path, e.Reason) }

// ExitCode is that of both programs for an archive that is not trusted.
func (*UntrustedError) ExitCode() int { return 4 }

func untrusted(path, format string, args ...any) error {
	return &UntrustedError{Path: path, Reason: fmt.Sprintf(format, args...)}
}

// PublicKey is a public key of minisign's. The zero value is no key.
type PublicKey struct{ mini minisign.PublicKey }

// errNoKey is what ParsePublicKey says of anything else.
var errNoKey = errors.New("it is no public key of minisign's")

// ParsePublicKey reads a public key: the two lines of a file of minisign's, or
// the second of them alone.
func ParsePublicKey(text string) (k PublicKey, err error) {
	const comment = "untrusted comment:"
	text = strings.TrimSpace(text)
	if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, comment) {
		text = strings.TrimSpace(rest)
	}
	// String gives the one way to write a key; others are not for keys.
	if err := k.mini.UnmarshalText([]byte(text)); err != nil || k.mini.String() != text {
		return PublicKey{}, errNoKey
	}
	return k, nil
}

// ReadPublicKey reads a public key from a file, or from the argument itself
// where that is one.
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

// String is the key as minisign writes it: what -P of minisign takes.
func (k PublicKey) String() string { return k.mini.String() }

// file is the content of a file of minisign's.
func (k PublicKey) file() []byte {
	text, err := k.mini.MarshalText()
	if err != nil {
		panic(err) // it is documented never to fail
	}
	return append(text, '\n')
}

// Equal says whether both are the same key.
func (k PublicKey) Equal(other PublicKey) bool { return k.mini.Equal(other.mini) }

// Fingerprint is what two people compare: the first half of the key's SHA-256 in
// groups of hex digits. Stock tools give the same from a key's file:
//
//	sed -n 2p KEY.pub | base64 -d | sha256sum
func (k PublicKey) Fingerprint() string {
	const half, group = sha256.Size / 2, 4
	raw, err := base64.StdEncoding.DecodeString(k.String())
	if err != nil {
		panic(err) // String has just made it
	}
	sum := sha256.Sum256(raw)
	digits := hex.EncodeToString(sum[:half])
	var groups []string
	for i := 0; i < len(digits); i += group {
		groups = append(groups, digits[i:i+group])
	}
	return strings.Join(groups, " ")
}

// maxSmall is the most, in bytes, that a key or a signature may have: a stick is
// anybody's.
const maxSmall = 64 << 10
