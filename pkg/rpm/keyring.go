package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"kubecrate/pkg/hint"
)

// maxKeyring is the limit of ReadKeyring in bytes: distribution keys have a few
// kilobytes each.
const maxKeyring = 4 << 20

// Key is an OpenPGP public key, identified by its primary key.
type Key struct {
	Fingerprint string    // of the primary key, upper-case hex, 40 digits (V4) or 64 (V6)
	UserID      string    // the primary one
	Created     time.Time // UTC
	Expires     time.Time // UTC, zero: never
	Revoked     bool      // never trusted
	Algorithm   string    // RSA, DSA, EdDSA, ECDSA, Ed25519
	Bits        int       // of an RSA or DSA key, otherwise 0
	Subkeys     []string  // fingerprints of subkeys that may sign
}

// String is "USER ID (FINGERPRINT)".
func (k Key) String() string { return fmt.Sprintf("%s (%s)", k.UserID, k.Fingerprint) }

// Keyring is a set of public keys. A nil Keyring holds none.
type Keyring struct{ entities []*openpgp.Entity }

// ReadKeyring reads public keys in the form of RPM-GPG-KEY files: armored, possibly
// several blocks in one file, or binary. The limit is 4 MiB. Keys of an unknown kind
// are skipped; it is an error if none is left, or if there is a private key among
// them.
func ReadKeyring(r io.Reader) (*Keyring, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeyring+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	if len(data) > maxKeyring {
		return nil, fmt.Errorf("cannot read keys: more than %d MiB", maxKeyring>>20)
	}
	entities, err := parseKeys(data)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read keys: %w", err), "check the file with: gpg --show-keys FILE")
	}
	for _, e := range entities {
		if e.PrivateKey != nil {
			return nil, hint.With(fmt.Errorf("cannot read keys: %s is a private key", fingerprint(e.PrimaryKey)),
				"export the public key with: gpg --armor --export KEY")
		}
	}
	return &Keyring{entities: entities}, nil
}

const armorBegin, armorEnd = "-----BEGIN PGP ", "-----END PGP "

func parseKeys(data []byte) (openpgp.EntityList, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return nil, errors.New("it is a web page, not a key")
	}
	if !bytes.Contains(data, []byte(armorBegin)) {
		return nonEmpty(openpgp.ReadKeyRing(bytes.NewReader(data)))
	}
	var all openpgp.EntityList
	var failed error
	for {
		start := bytes.Index(data, []byte(armorBegin))
		if start < 0 {
			break
		}
		data = data[start:]
		size := len(data)
		if end := bytes.Index(data, []byte(armorEnd)); end >= 0 {
			if line := bytes.IndexByte(data[end:], '\n'); line >= 0 {
				size = end + line + 1
			}
		}
		entities, err := parseArmored(data[:size])
		if err != nil {
			failed = err
		}
		all = append(all, entities...)
		data = data[size:]
	}
	if len(all) == 0 && failed != nil {
		return nil, failed
	}
	return nonEmpty(all, nil)
}

func parseArmored(block []byte) (openpgp.EntityList, error) {
	b, err := armor.Decode(bytes.NewReader(block))
	if err != nil {
		return nil, fmt.Errorf("armor is damaged: %w", err)
	}
	if b.Type != openpgp.PublicKeyType && b.Type != openpgp.PrivateKeyType {
		return nil, fmt.Errorf("it is a %q block, not a key", b.Type)
	}
	return openpgp.ReadKeyRing(b.Body)
}

func nonEmpty(list openpgp.EntityList, err error) (openpgp.EntityList, error) {
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("it has no OpenPGP public key")
	}
	return list, nil
}

// Merge combines several keyrings; a nil one counts as empty.
func Merge(rings ...*Keyring) *Keyring {
	out := &Keyring{}
	for _, k := range rings {
		if k != nil {
			out.entities = append(out.entities, k.entities...)
		}
	}
	return out
}

// Keys lists the keys, each once, ordered by fingerprint.
func (k *Keyring) Keys() []Key {
	if k == nil {
		return nil
	}
	seen := make(map[string]bool, len(k.entities))
	var keys []Key
	for _, e := range k.entities {
		if id := fingerprint(e.PrimaryKey); !seen[id] {
			seen[id] = true
			keys = append(keys, k.describe(e))
		}
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].Fingerprint < keys[j].Fingerprint })
	return keys
}

// Restrict returns the keys with the given fingerprints of primary keys: 40 or 64
// hex digits in either case; blanks and a leading 0x are ignored. An empty list
// returns all. The error names the fingerprint that is malformed, absent or that of
// a subkey.
func (k *Keyring) Restrict(fingerprints []string) (*Keyring, error) {
	if len(fingerprints) == 0 {
		return k, nil
	}
	out := &Keyring{}
	for _, text := range fingerprints {
		want, err := normalize(text)
		if err != nil {
			return nil, hint.With(fmt.Errorf("cannot pin key: %w", err), "read the fingerprint with: gpg --show-keys FILE")
		}
		before := len(out.entities)
		for _, e := range k.all() {
			if fingerprint(e.PrimaryKey) == want {
				out.entities = append(out.entities, e)
			}
		}
		if len(out.entities) == before {
			return nil, hint.With(fmt.Errorf("cannot pin key %s: %s", want, k.whyAbsent(want)),
				"compare with: gpg --show-keys FILE; confirm a changed upstream fingerprint from a second source")
		}
	}
	return out, nil
}

func (k *Keyring) all() []*openpgp.Entity {
	if k == nil {
		return nil
	}
	return k.entities
}

func (k *Keyring) whyAbsent(want string) string {
	for _, e := range k.all() {
		for _, sub := range e.Subkeys {
			if fingerprint(sub.PublicKey) == want {
				return fmt.Sprintf("it is a subkey; pin the primary key %s", fingerprint(e.PrimaryKey))
			}
		}
	}
	return "not in the keyring, which has " + k.names()
}

// names lists the keys for an error.
func (k *Keyring) names() string {
	const most = 8
	var names []string
	for _, key := range k.Keys() {
		names = append(names, key.String())
	}
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func normalize(text string) (string, error) {
	s := strings.ToUpper(strings.Join(strings.Fields(strings.ReplaceAll(text, ":", "")), ""))
	s = strings.TrimPrefix(s, "0X")
	if strings.Trim(s, "0123456789ABCDEF") != "" || (len(s) != 40 && len(s) != 64) {
		return "", fmt.Errorf("%q is not a fingerprint of 40 or 64 hex digits", text)
	}
	return s, nil
}

func fingerprint(p *packet.PublicKey) string { return fmt.Sprintf("%X", p.Fingerprint) }

// describe returns the key that e is a copy of, from all copies in k: the newest
// self-signature counts, and a revocation in any of them.
func (k *Keyring) describe(e *openpgp.Entity) Key {
	key := Key{
		Fingerprint: fingerprint(e.PrimaryKey), Created: e.PrimaryKey.CreationTime.UTC(),
		Algorithm: algorithmName(e.PrimaryKey.PubKeyAlgo), Bits: bits(e.PrimaryKey),
	}
	var self *packet.Signature
	for _, c := range k.copies(e) {
		newer, identity := c.PrimarySelfSignature()
		if self = newest(self, newer); identity != nil && self == newer {
			key.UserID = identity.Name
		}
		key.Revoked = key.Revoked || len(c.Revocations) > 0
	}
	key.Expires = expiry(e.PrimaryKey, self)
	for _, sub := range k.subkeys(e) {
		if maySign(sub.public, sub.self, true) && !sub.revoked {
			key.Subkeys = append(key.Subkeys, fingerprint(sub.public))
		}
	}
	return key
}

// copies returns all copies of the key of e in k, in the order of the files.
func (k *Keyring) copies(e *openpgp.Entity) []*openpgp.Entity {
	var out []*openpgp.Entity
	for _, other := range k.all() {
		if bytes.Equal(other.PrimaryKey.Fingerprint, e.PrimaryKey.Fingerprint) {
			out = append(out, other)
		}
	}
	return out
}

// newest returns the later of two self-signatures, either of which may be nil.
func newest(a, b *packet.Signature) *packet.Signature {
	if a == nil || b != nil && b.CreationTime.After(a.CreationTime) {
		return b
	}
	return a
}

// subkey combines one subkey from all copies of a key.
type subkey struct {
	public  *packet.PublicKey
	self    *packet.Signature // the newest binding to the primary key
	revoked bool
}

// subkeys returns the subkeys of the key of e, each once.
func (k *Keyring) subkeys(e *openpgp.Entity) []subkey {
	var out []subkey
	at := map[string]int{}
	for _, c := range k.copies(e) {
		for _, sub := range c.Subkeys {
			id := fingerprint(sub.PublicKey)
			i, known := at[id]
			if !known {
				i, at[id] = len(out), len(out)
				out = append(out, subkey{public: sub.PublicKey})
			}
			out[i].self = newest(out[i].self, sub.Sig)
			out[i].revoked = out[i].revoked || len(sub.Revocations) > 0
		}
	}
	return out
}

func bits(p *packet.PublicKey) int {
	switch p.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoDSA:
		if n, err := p.BitLength(); err == nil {
			return int(n)
		}
	}
	return 0
}

// expiry returns zero for a key that does not expire.
func expiry(p *packet.PublicKey, self *packet.Signature) time.Time {
	if self == nil || self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return p.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second).UTC()
}

// maySign reports whether a key may sign data. Primary keys from before 2000 have no
// flags; a subkey must have the flag for signing.
func maySign(p *packet.PublicKey, self *packet.Signature, subkey bool) bool {
	if self == nil || !p.PubKeyAlgo.CanSign() {
		return false
	}
	if !self.FlagsValid {
		return !subkey
	}
	return self.FlagSign
}
