// Package signedjson signs JSON objects and checks them, so that what was changed on
// the way is noticed. The object carries the public key and the signature, both
// in base64:
//
//	{..., "key": "Ed25519 public key", "signature": "of all else"}
//
// What is signed is the object without its signature in canonical form: keys
// sorted, no space, each key once with its last value. A key proves nothing of
// who made it: only that two objects are by the same one.
package signedjson

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	keyName       = "key"
	signatureName = "signature"
	// purpose comes before what is signed, so that it is good for nothing else.
	purpose = "kubecrate signed object 1\n"
)

// ErrSignature is an object whose signature does not fit.
var ErrSignature = errors.New("invalid signature: it was changed after signing")

// Object is what Open found. Body is the object in canonical form, without its
// signature. Key and Signature are "" for one that is not signed.
type Object struct {
	Body      []byte
	Key       string
	Signature string
}

// Limits of an object, counted before memory is given to what it holds: the
// values in it, how deep they lie, and the bytes of a string.
const (
	MaxValues = 1 << 15
	MaxDepth  = 16
	MaxString = 4 << 10
)

// Open reads an object and checks its signature: ErrSignature where it does not
// fit. An object with neither key nor signature is not signed, and no error. One
// that is over a limit is an error, and is not decoded.
func Open(data []byte) (o Object, err error) {
	if err := measure(data); err != nil {
		return o, err
	}
	m, err := object(data)
	if err != nil {
		return o, err
	}
	key, hasKey := m[keyName]
	signature, hasSignature := m[signatureName]
	delete(m, signatureName)
	if o.Body, err = json.Marshal(m); err != nil {
		return o, err
	}
	if !hasKey && !hasSignature {
		return o, nil
	}
	k, ok := raw(key, ed25519.PublicKeySize)
	s, ok2 := raw(signature, ed25519.SignatureSize)
	if !ok || !ok2 || !ed25519.Verify(k, append([]byte(purpose), o.Body...), s) {
		return Object{}, ErrSignature
	}
	o.Key, o.Signature = encode(k), encode(s)
	return o, nil
}

// measure says which limit data is over. It counts what separates and opens
// values, which no JSON can do without.
func measure(data []byte) error {
	values, depth, start, within := 1, 0, 0, false
	bare := 0 // bytes of a number, or of what ought to be one
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case within && c == '\\':
			i++
		case c == '"':
			if within && i-start > MaxString {
				return fmt.Errorf("it contains a string of over %d bytes", MaxString)
			}
			start, within = i, !within
		case within:
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '+':
			if bare++; bare > MaxString {
				return fmt.Errorf("it contains a number of over %d bytes", MaxString)
			}
			continue
		case c == ',':
			values++
		case c == '{', c == '[':
			values++
			depth++
		case c == '}', c == ']':
			depth--
		}
		bare = 0
		if values > MaxValues || depth > MaxDepth {
			return fmt.Errorf("it has over %d values or over %d levels", MaxValues, MaxDepth)
		}
	}
	return nil
}

func object(data []byte) (m map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("extra data after the object")
	}
	if m == nil {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

// raw is a value of size bytes in base64, of which there is one way to write it.
func raw(v any, size int) ([]byte, bool) {
	text, ok := v.(string)
	if !ok {
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, err == nil && len(b) == size && encode(b) == text
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// Signer is a key that signs. Since is when it was made, in UTC.
type Signer struct {
	key   ed25519.PrivateKey
	Since time.Time
}

// NewSigner makes a new key.
func NewSigner(now time.Time) (*Signer, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("cannot generate a key: %w", err)
	}
	return &Signer{key, now.UTC().Truncate(time.Second)}, nil
}

// kept is a Signer in its file.
type kept struct {
	Seed  []byte    `json:"seed"`
	Since time.Time `json:"since"`
}

// Marshal is the key as ParseSigner reads it. It is a secret.
func (s *Signer) Marshal() ([]byte, error) {
	text, err := json.Marshal(kept{s.key.Seed(), s.Since})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the key: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseSigner reads what Marshal wrote. What it says of anything else has nothing
// of the key in it.
func ParseSigner(text []byte) (*Signer, error) {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil || len(k.Seed) != ed25519.SeedSize {
		return nil, errors.New("not a kubecrate host key")
	}
	return &Signer{ed25519.NewKeyFromSeed(k.Seed), k.Since}, nil
}

// Key is the public key, as it stands in a signed object.
func (s *Signer) Key() string { return encode(s.key[ed25519.SeedSize:]) }

// Sign gives the signature of an object that has Key as its key; a signature in
// it is passed over.
func (s *Signer) Sign(data []byte) (string, error) {
	m, err := object(data)
	if err != nil {
		return "", fmt.Errorf("cannot sign it: %w", err)
	}
	if m[keyName] != s.Key() {
		return "", errors.New("cannot sign it: it contains another key")
	}
	delete(m, signatureName)
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("cannot sign it: %w", err)
	}
	return encode(ed25519.Sign(s.key, append([]byte(purpose), body...))), nil
}
