package rpmtest

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Signer is a fresh OpenPGP key that signs packages. The key is random, its
// signatures are not: the same Signer signs the same bytes alike.
type Signer struct {
	public []byte // armored
	entity *openpgp.Entity
	key    *packet.PrivateKey
	config packet.Config
}

// SignerOptions choose the key that NewSignerWith makes. The zero value is
// what NewSigner uses.
type SignerOptions struct {
	EdDSA    bool          // Ed25519 instead of RSA 2048; rpm 4.18 knows it, EL7's does not
	Lifetime time.Duration // the key expires so long after when; 0 is never
	Subkey   bool          // a signing subkey signs, not the primary key; rpm 4.18 refuses to import such a key as it is written here
	Hash     crypto.Hash   // 0 is SHA256
	Rand     io.Reader     // with EdDSA: where the key comes from, for a fuzz target that needs the same key in every process; nil is crypto/rand
}

// NewSigner makes an RSA key of 2048 bits, the kind that rpm of every age
// verifies. The key is made, and signs, at when; a package signed by it
// carries that time.
func NewSigner(name string, when time.Time) (*Signer, error) {
	return NewSignerWith(name, when, SignerOptions{})
}

// NewSignerWith is NewSigner with a choice of key.
func NewSignerWith(name string, when time.Time, o SignerOptions) (*Signer, error) {
	noSalt := false
	config := packet.Config{
		Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, DefaultHash: crypto.SHA256,
		Time:                                  func() time.Time { return when },
		Rand:                                  o.Rand,
		KeyLifetimeSecs:                       u32(int(o.Lifetime / time.Second)),
		NonDeterministicSignaturesViaNotation: &noSalt,
	}
	if o.EdDSA {
		config.Algorithm = packet.PubKeyAlgoEdDSA
	}
	entity, err := openpgp.NewEntity(name, "", "", &config)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key for %s: %w", name, err)
	}
	entity.Subkeys = nil // the encryption subkey; a packager's key has none
	s := &Signer{entity: entity, key: entity.PrivateKey, config: config}
	if o.Subkey {
		if err := entity.AddSigningSubkey(&config); err != nil {
			return nil, fmt.Errorf("cannot make a subkey for %s: %w", name, err)
		}
		s.key = entity.Subkeys[0].PrivateKey
	}
	if o.Hash != 0 {
		s.config.DefaultHash = o.Hash
	}
	if err := s.export(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Signer) export() (err error) {
	s.public, err = armored(openpgp.PublicKeyType, s.entity.Serialize)
	return err
}

// At is the same key signing at another time.
func (s *Signer) At(when time.Time) *Signer {
	other := *s
	other.config.Time = func() time.Time { return when }
	return &other
}

// Sign makes a binary V4 signature over the parts, one after the other.
func (s *Signer) Sign(parts ...[]byte) ([]byte, error) {
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: s.key.PubKeyAlgo, Hash: s.config.Hash(),
		CreationTime: s.config.Now(), IssuerKeyId: &s.key.KeyId, IssuerFingerprint: s.key.Fingerprint,
	}
	h, err := sig.PrepareSign(&s.config)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		h.Write(part)
	}
	if err := sig.Sign(h, s.key, &s.config); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := sig.Serialize(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ArmoredPublicKey is the public key as RPM-GPG-KEY files hold it.
func (s *Signer) ArmoredPublicKey() []byte { return bytes.Clone(s.public) }

// ArmoredPrivateKey is the private key, for gpg and rpmsign in tests; it has no
// passphrase.
func (s *Signer) ArmoredPrivateKey() ([]byte, error) {
	return armored(openpgp.PrivateKeyType, func(w io.Writer) error {
		return s.entity.SerializePrivateWithoutSigning(w, &s.config)
	})
}

// BinaryPublicKey is the public key as `gpg --export` writes it.
func (s *Signer) BinaryPublicKey() ([]byte, error) {
	var out bytes.Buffer
	if err := s.entity.Serialize(&out); err != nil {
		return nil, fmt.Errorf("cannot write the public key: %w", err)
	}
	return out.Bytes(), nil
}

// Fingerprint is the primary key's, in upper-case hex.
func (s *Signer) Fingerprint() string {
	return strings.ToUpper(fmt.Sprintf("%x", s.entity.PrimaryKey.Fingerprint))
}

// Revoke puts a revocation into the public key: from then on no one should
// trust it.
func (s *Signer) Revoke() error {
	err := s.entity.RevokeKey(packet.KeyCompromised, "test", &s.config)
	if err != nil {
		return fmt.Errorf("cannot revoke the key: %w", err)
	}
	return s.export()
}

// RevokeSubkey is Revoke for the signing subkey alone.
func (s *Signer) RevokeSubkey() error {
	err := s.entity.RevokeSubkey(&s.entity.Subkeys[0], packet.KeyCompromised, "test", &s.config)
	if err != nil {
		return fmt.Errorf("cannot revoke the subkey: %w", err)
	}
	return s.export()
}

// Subkey is the fingerprint of the signing subkey, in upper-case hex.
func (s *Signer) Subkey() string {
	return strings.ToUpper(fmt.Sprintf("%x", s.entity.Subkeys[0].PublicKey.Fingerprint))
}

func (s *Signer) rsa() bool { return s.key.PubKeyAlgo == packet.PubKeyAlgoRSA }

func armored(kind string, write func(io.Writer) error) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.Encode(&out, kind, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot armor the %s: %w", strings.ToLower(kind), err)
	}
	if err := write(w); err != nil {
		return nil, fmt.Errorf("cannot armor the %s: %w", strings.ToLower(kind), err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot armor the %s: %w", strings.ToLower(kind), err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
