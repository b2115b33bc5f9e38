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

// SecretKey signs, for minisign and for openssl. The ECDSA key follows from the
// seed of minisign's Ed25519 key by HKDF (RFC 5869, SHA-256), so one file with
// one passphrase holds both, and any key that minisign made does.
type SecretKey struct {
	mini minisign.PrivateKey
	ec   *ecdsa.PrivateKey
}

// GenerateKey makes a new key.
func GenerateKey() (*SecretKey, error) {
	_, mini, err := minisign.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
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

// seedOf takes the seed of the Ed25519 key out of the file of a key that is not
// encrypted: behind two algorithms, a hash, a salt, two limits and the key's ID.
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
		return nil, errors.New("it is too short")
	}
	return raw[at : at+size], nil
}

// deriveECDSA takes the first candidate that is a scalar of P-256; all but one
// of 2^32 are.
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
	return nil, errors.New("no candidate is a key")
}

// Public is the key that verifies minisign's signatures.
func (k *SecretKey) Public() PublicKey {
	public, ok := k.mini.Public().(minisign.PublicKey)
	if !ok {
		panic("minisign gives a public key of another type")
	}
	return PublicKey{public}
}

// openSSLKey is the public key of ECDSA: its DER, as SubjectPublicKeyInfo (RFC
// 5480), and its PEM.
func (k *SecretKey) openSSLKey() (der, text []byte, err error) {
	if der, err = x509.MarshalPKIXPublicKey(k.ec.Public()); err != nil {
		return nil, nil, fmt.Errorf("cannot write the key for openssl: %w", err)
	}
	return der, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

const pemType = "PUBLIC KEY"

// hexSHA256 is a hash in lower-case hex digits.
func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Names of a key's files, behind what keygen's -o says.
const (
	secretSuffix  = ".key"
	publicSuffix  = ".pub"
	openSSLSuffix = ".pem"
)

// WriteFiles writes name.key, which only the owner may read, name.pub and
// name.pem, and returns their paths. The passphrase encrypts the first, as
// minisign does (scrypt, with 1 GiB of memory); "" leaves it in the clear. A file
// that is there already is never touched, and nothing is written then. A directory
// that is missing is made.
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

// exists explains why a key's file is not written; a nil err is a file that is
// there.
func exists(path string, err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) {
		return hint.With(fmt.Errorf("cannot write %s: it is there already, and a key is never overwritten", path), "bundle keygen -o NAME takes another name")
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

// ReadSecretKey reads a secret key of WriteFiles or minisign. passphrase is
// asked only for a key that is encrypted.
func ReadSecretKey(path string, passphrase func() (string, error)) (*SecretKey, error) {
	text, err := media.Named(path).Read(maxSmall)
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret key: %w", err)
	}
	var mini minisign.PrivateKey
	if !minisign.IsEncrypted(text) {
		if err := mini.UnmarshalText(text); err != nil {
			return nil, hint.With(fmt.Errorf("cannot read the secret key %s: it is none of minisign's", path), "bundle keygen makes one; its secret half is NAME%s", secretSuffix)
		}
		return newSecretKey(mini)
	}
	word, err := passphrase()
	if err != nil {
		return nil, err
	}
	if mini, err = minisign.DecryptKey(word, text); err != nil {
		return nil, hint.With(fmt.Errorf("cannot decrypt the secret key %s: the passphrase is wrong, or the file is damaged", path), "--passphrase-file FILE takes its first line as the passphrase")
	}
	return newSecretKey(mini)
}
