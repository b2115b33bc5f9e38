package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// maxDetached is the most bytes of a detached signature that are looked at.
const maxDetached = 1 << 20

// VerifyDetached verifies a detached signature, armored or binary, such as
// repomd.xml.asc over repomd.xml, by the rules of Verify. Of several
// signatures one good one is enough. It returns the primary key that signed;
// errors are ErrUnsigned, ErrUntrustedKey and ErrCorrupt.
func (k *Keyring) VerifyDetached(data, sig []byte) (Key, error) {
	key, err := k.verifyDetached(data, sig, time.Now())
	if err != nil {
		return Key{}, fmt.Errorf("cannot verify signature: %w", err)
	}
	return key, nil
}

func (k *Keyring) verifyDetached(data, sig []byte, now time.Time) (Key, error) {
	raw, err := unarmor(sig)
	if err != nil {
		return Key{}, err
	}
	if len(raw) == 0 {
		return Key{}, fmt.Errorf("%w: the signature is empty", ErrUnsigned)
	}
	var failures []error
	for n := 0; len(raw) > 0 && n < maxSignatures; n++ {
		var body []byte
		if body, raw, err = packetBody(raw); err != nil {
			return Key{}, corrupt("the signature: %w", err)
		}
		key, err := k.verifyOne(data, body, now)
		if err == nil {
			return key, nil
		}
		failures = append(failures, err)
	}
	return Key{}, errors.Join(failures...)
}

func (k *Keyring) verifyOne(data, body []byte, now time.Time) (Key, error) {
	s, err := parseSignatureBody(body, inWhole)
	if errors.Is(err, errForeign) {
		return Key{}, untrusted("%w", err)
	}
	if err != nil {
		return Key{}, corrupt("the signature: %w", err)
	}
	found, _, err := k.candidates(s, now)
	if err != nil {
		return Key{}, err
	}
	h := s.hash.New()
	if s.text {
		// Kubernetes' own repositories sign repomd.xml as text.
		openpgp.NewCanonicalTextHash(h).Write(data)
	} else {
		h.Write(data)
	}
	for _, c := range found {
		if err = s.verify(h, c.public); err == nil {
			return c.primary, nil
		}
	}
	return Key{}, corrupt("the %s signature by key %016X does not match: %w", s, s.keyID, err)
}

func unarmor(sig []byte) ([]byte, error) {
	if len(sig) > maxDetached {
		return nil, corrupt("the signature has %d bytes", len(sig))
	}
	if !bytes.Contains(sig, []byte(armorBegin)) {
		return sig, nil
	}
	block, err := armor.Decode(bytes.NewReader(sig))
	if err != nil {
		return nil, corrupt("the signature's armor: %w", err)
	}
	if block.Type != openpgp.SignatureType {
		return nil, corrupt("a %q block, not a signature", block.Type)
	}
	raw, err := io.ReadAll(block.Body)
	if err != nil {
		return nil, corrupt("the signature's armor: %w", err)
	}
	return raw, nil
}
