package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// SecretKey signs for minisign and openssl. The ECDSA key is derived from the seed of
// minisign's Ed25519 key with HKDF (RFC 5869, SHA-256), so one file with one
// passphrase holds both, and any minisign key works.
type SecretKey struct {
	mini minisign.PrivateKey
	ec   *ecdsa.PrivateKey
}

// GenerateKey generates a new key.
func GenerateKey() (*SecretKey, error) {
	_, mini, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("cannot generate a key: %w", err)
	}
	return newSecretKey(mini)
}

func newSecretKey(mini minisign.PrivateKey) (*SecretKey, error) {
	seed, err := seedOf(mini)
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret key: %w", err)
	}
	ec, err := deriveECDSA(seed)
	if err != nil {
		return nil, fmt.Errorf("cannot derive the key for openssl: %w", err)
	}
	return &SecretKey{mini: mini, ec: ec}, nil
}

// seedOf returns the seed of the Ed25519 key from an unencrypted key file: it follows
// two algorithms, a hash, a salt, two limits and the key ID.
func seedOf(mini minisign.PrivateKey) ([]byte, error) {
	const at, size = 2 + 2 + 2 + 32 + 8 + 8 + 8, 32
	text, err := mini.MarshalText()
	if err != nil {
		return nil, err
	}
	_, line, _ := strings.Cut(string(text), "\n")
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, err
	}
	if len(raw) < at+size {
		return nil, errors.New("the key is too short")
	}
	return raw[at : at+size], nil
}

// deriveECDSA returns the first candidate that is a scalar of P-256; all but one in
// 2^32 are.
func deriveECDSA(seed []byte) (*ecdsa.PrivateKey, error) {
	const size, tries = 32, 256
	prk, err := hkdf.Extract(sha256.New, seed, []byte("kubecrate key for openssl"))
	if err != nil {
		return nil, err
	}
	for n := range tries {
		candidate, err := hkdf.Expand(sha256.New, prk, fmt.Sprintf("ECDSA P-256 %d", n), size)
		if err != nil {
			return nil, err
		}
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), candidate); err == nil {
			return k, nil
		}
	}
	return nil, errors.New("no candidate is a valid key")
}

// Public returns the key that verifies minisign signatures.
func (k *SecretKey) Public() PublicKey {
	public, ok := k.mini.Public().(minisign.PublicKey)
	if !ok {
		panic("minisign returned a public key of another type")
	}
	return PublicKey{public}
}

// openSSLKey returns the ECDSA public key as DER, SubjectPublicKeyInfo (RFC 5480), and
// as PEM.
func (k *SecretKey) openSSLKey() (der, text []byte, err error) {
	if der, err = x509.MarshalPKIXPublicKey(k.ec.Public()); err != nil {
		return nil, nil, fmt.Errorf("cannot encode the key for openssl: %w", err)
	}
	return der, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

const pemType = "PUBLIC KEY"

// hexSHA256 returns the hash of b in lower-case hex digits.
func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Suffixes of a key's files, after keygen's -o.
const (
	secretSuffix  = ".key"
	publicSuffix  = ".pub"
	openSSLSuffix = ".pem"
)

// WriteFiles writes name.key, readable by the owner only, name.pub and name.pem, and
// returns their paths. The passphrase encrypts the first, as minisign does (scrypt,
// with 1 GiB of memory); "" leaves it unencrypted. If one of the files exists, nothing
// is written. A missing directory is created.
func (k *SecretKey) WriteFiles(name, passphrase string) (paths []string, err error) {
	const secret, public = 0o600, 0o644
	_, openSSL, err := k.openSSLKey()
	if err != nil {
		return nil, err
	}
	paths = []string{name + secretSuffix, name + publicSuffix, name + openSSLSuffix}
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, exists(path, err)
		}
	}
	text, err := k.encode(passphrase)
	if err != nil {
		return nil, err
	}
	const dirMode = 0o700
	if err := os.MkdirAll(filepath.Dir(name), dirMode); err != nil {
		return nil, fmt.Errorf("cannot write the key: %w", err)
	}
	var made []string
	for i, file := range []struct {
		content []byte
		mode    fs.FileMode
	}{{text, secret}, {k.Public().file(), public}, {openSSL, public}} {
		if err := atomicfile.WriteNew(paths[i], file.content, file.mode); err != nil {
			for _, path := range made {
				err = errors.Join(err, os.Remove(path))
			}
			return nil, exists(paths[i], err)
		}
		made = append(made, paths[i])
	}
	return paths, nil
}

// exists returns the error for a key file that cannot be written; a nil err means
// that it exists.
func exists(path string, err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) {
		return hint.With(fmt.Errorf("cannot write %s: it already exists, and keys are never overwritten", path), "choose another name with bundle keygen -o NAME")
	}
	return fmt.Errorf("cannot write the key: %w", err)
}

func (k *SecretKey) encode(passphrase string) (text []byte, err error) {
	if passphrase == "" {
		text, err = k.mini.MarshalText()
	} else {
		text, err = minisign.EncryptKey(passphrase, k.mini)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write the key: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadSecretKey reads a secret key of WriteFiles or minisign. It calls passphrase
// only for an encrypted key.
func ReadSecretKey(path string, passphrase func() (string, error)) (*SecretKey, error) {
	text, err := media.Named(path).Read(maxSmall)
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret key: %w", err)
	}
	var mini minisign.PrivateKey
	if !minisign.IsEncrypted(text) {
		if err := mini.UnmarshalText(text); err != nil {
			return nil, hint.With(fmt.Errorf("cannot read the secret key %s: not a minisign secret key", path), "create one with bundle keygen; its secret key is NAME%s", secretSuffix)
		}
		return newSecretKey(mini)
	}
	word, err := passphrase()
	if err != nil {
		return nil, err
	}
	if mini, err = minisign.DecryptKey(word, text); err != nil {
		return nil, hint.With(fmt.Errorf("cannot decrypt the secret key %s: the passphrase is wrong, or the file is damaged", path), "--passphrase-file FILE reads the passphrase from the first line of a file")
	}
	return newSecretKey(mini)
}
