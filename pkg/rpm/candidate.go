package rpm

import (
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"kubecrate/pkg/hint"
)

// candidate is a key that may have made a signature.
type candidate struct {
	primary     Key
	public      *packet.PublicKey
	self        *packet.Signature // of the key, or its binding to the primary key
	subkey      bool
	revoked     bool
	primaryEnds time.Time
}

// String names the key; a subkey is named with its primary key.
func (c candidate) String() string {
	if c.subkey {
		return fmt.Sprintf("%s, a subkey of %s,", fingerprint(c.public), c.primary)
	}
	return c.primary.String()
}

// find returns the keys with the given ID, each once, even if there are several
// copies.
func (k *Keyring) find(id uint64) []candidate {
	var out []candidate
	seen := map[string]bool{}
	for _, e := range k.all() {
		if seen[fingerprint(e.PrimaryKey)] {
			continue
		}
		seen[fingerprint(e.PrimaryKey)] = true
		primary := k.describe(e)
		if e.PrimaryKey.KeyId == id {
			var self *packet.Signature
			for _, c := range k.copies(e) {
				own, _ := c.PrimarySelfSignature()
				self = newest(self, own)
			}
			out = append(out, candidate{primary: primary, public: e.PrimaryKey, self: self, primaryEnds: primary.Expires})
		}
		for _, sub := range k.subkeys(e) {
			if sub.public.KeyId == id {
				out = append(out, candidate{primary: primary, public: sub.public, self: sub.self, subkey: true, revoked: sub.revoked, primaryEnds: primary.Expires})
			}
		}
	}
	return out
}

// judge checks that the key was valid when the signature was made. A signature made
// before the key expired is valid, with a warning.
func (c candidate) judge(s *signature, now time.Time) (warnings []string, err error) {
	name := c.String()
	switch {
	case c.primary.Revoked:
		return nil, fmt.Errorf("key %s is revoked", c.primary)
	case c.revoked:
		return nil, fmt.Errorf("key %s is revoked", name)
	case !maySign(c.public, c.self, c.subkey):
		return nil, fmt.Errorf("key %s is not a signing key", name)
	case s.created.Before(c.public.CreationTime):
		return nil, fmt.Errorf("the signature of %s predates key %s of %s", day(s.created), name, day(c.public.CreationTime))
	case s.packet.SigExpired(now):
		return nil, fmt.Errorf("the signature of %s by %s has expired", day(s.created), name)
	}
	for _, end := range []time.Time{c.primaryEnds, expiry(c.public, c.self)} {
		if end.IsZero() {
			continue
		}
		if s.created.After(end) {
			return nil, fmt.Errorf("the signature of %s was made after key %s expired on %s", day(s.created), name, day(end))
		}
		if now.After(end) {
			warnings = []string{fmt.Sprintf("key %s expired on %s, after it signed this on %s", name, day(end), day(s.created))}
		}
	}
	if size := bits(c.public); size > 0 && size < 2048 {
		warnings = append(warnings, fmt.Sprintf("key %s has only %d bits", name, size))
	}
	return warnings, nil
}

// untrusted returns an ErrUntrustedKey with the cause.
func untrusted(format string, args ...any) error {
	err := fmt.Errorf("%w: %w", ErrUntrustedKey, fmt.Errorf(format, args...))
	return hint.With(err, "compare with `rpm -Kv FILE` and `gpg --show-keys KEYFILE`; ask the packager for a newly signed package, or use another build")
}

// candidates finds the keys that may have made s and were valid at that time.
func (k *Keyring) candidates(s *signature, now time.Time) (good []candidate, warnings []string, err error) {
	warning, err := s.checkHash()
	if err != nil {
		return nil, nil, untrusted("%w", err)
	}
	if warning != "" {
		warnings = append(warnings, warning)
	}
	found := k.find(s.keyID)
	if len(found) == 0 {
		err := fmt.Errorf("%w: the signature is by key %016X, pinned keys: %s", ErrUntrustedKey, s.keyID, k.names())
		return nil, nil, hint.With(err, "if you trust key %016X, add its file to the repository's gpgkey and pin its fingerprint, shown by: gpg --show-keys KEYFILE", s.keyID)
	}
	var bad error
	for _, c := range found {
		more, err := c.judge(s, now)
		if err != nil {
			bad = err
			continue
		}
		good, warnings = append(good, c), append(warnings, more...)
	}
	if len(good) == 0 {
		return nil, nil, untrusted("%w", bad)
	}
	return good, warnings, nil
}
