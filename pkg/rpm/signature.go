package rpm

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	_ "crypto/md5"    //nolint:gosec // crypto.MD5, an integrity check that every EL7 package carries, never trusted
	_ "crypto/sha1"   //nolint:gosec // crypto.SHA1, see sha1Ends
	_ "crypto/sha256" // crypto.SHA224, crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384, crypto.SHA512

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// sha1Ends is 2024-07-01, the day after EL7's end of life: SHA-1 signatures,
// which some EL7 repositories (ELRepo) and all of EL5 and older have, are accepted
// with a warning if they were made before it. An attacker would have to get the
// packager to sign a file prepared for a collision; an existing signature cannot be
// forged.
const sha1Ends = 1719792000

// region is the part of a package covered by a digest or a signature.
type region uint8

const (
	inHeader  region = 1
	inPayload region = 2
	inWhole          = inHeader | inPayload
)

func (r region) String() string {
	switch r {
	case inHeader:
		return "header"
	case inPayload:
		return "payload"
	}
	return "header+payload"
}

// errForeign marks a signature of an unknown kind.
var errForeign = errors.New("signature is of an unknown kind")

// signature is one OpenPGP signature over data.
type signature struct {
	covers  region
	listed  bool // one of several in tag OPENPGP, of which one valid signature is enough
	version int  // of the packet: 3 or 4
	created time.Time
	keyID   uint64
	hash    crypto.Hash
	text    bool              // over text with canonical line ends
	trailer []byte            // hashed after the content
	packet  *packet.Signature // a V3 packet is converted to V4
}

// String returns the form of rpm: "V3 RSA/SHA256".
func (s *signature) String() string {
	return fmt.Sprintf("V%d %s/%s", s.version, algorithmName(s.packet.PubKeyAlgo), hashName(s.hash))
}

// parseSignature reads exactly one signature packet.
func parseSignature(b []byte, covers region) (*signature, error) {
	body, rest, err := packetBody(b)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the signature", len(rest))
	}
	s, err := parseSignatureBody(body, covers)
	if err == nil && s.text {
		err = fmt.Errorf("signature is over text")
	}
	return s, err
}

func parseSignatureBody(body []byte, covers region) (*signature, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("signature is empty")
	}
	s := &signature{covers: covers, version: int(body[0])}
	var err error
	switch s.version {
	case 3:
		if body, err = s.upgradeV3(body); err != nil {
			return nil, err
		}
	case 4:
	default:
		return nil, fmt.Errorf("%w: version %d", errForeign, s.version)
	}
	// 0xc2: a signature packet, its length in the five-byte form.
	size := uint32(len(body)) //nolint:gosec // a part of a header, which is bounded
	framed := append(binary.BigEndian.AppendUint32([]byte{0xc2, 0xff}, size), body...)
	p, err := packet.Read(bytes.NewReader(framed))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForeign, err)
	}
	var ok bool
	if s.packet, ok = p.(*packet.Signature); !ok {
		return nil, fmt.Errorf("it is not a signature")
	}
	switch s.packet.SigType {
	case packet.SigTypeBinary:
	case packet.SigTypeText:
		s.text = true
	default:
		return nil, fmt.Errorf("signature has type %#x, not one over data", s.packet.SigType)
	}
	s.hash, s.created = s.packet.Hash, s.packet.CreationTime
	if s.version == 4 {
		s.trailer = s.packet.HashSuffix
	}
	if s.packet.IssuerKeyId == nil {
		return nil, fmt.Errorf("signature names no key")
	}
	s.keyID = *s.packet.IssuerKeyId
	return s, nil
}

// upgradeV3 converts a version 3 signature to the body of a version 4 packet, so that
// both are verified by the same code; the type and time, which a V3 signature hashes
// last, become the trailer.
//
// Source: RFC 4880, section 5.2.2 (V3) and 5.2.3 (V4).
func (s *signature) upgradeV3(b []byte) ([]byte, error) {
	const fixed = 19 // version, length 5, type, time, key ID, two algorithms, two bytes of the hash
	if len(b) < fixed || b[1] != 5 {
		return nil, fmt.Errorf("V3 signature is malformed")
	}
	kind, created, keyID, algorithm, hashID, left := b[2], b[3:7], b[7:15], b[15], b[16], b[17:19]
	s.trailer = b[2:7]
	switch packet.PublicKeyAlgorithm(algorithm) {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoDSA:
	default:
		return nil, fmt.Errorf("%w: V3 with algorithm %d", errForeign, algorithm)
	}
	v4 := []byte{4, kind, algorithm, hashID, 0, 6, 5, 2} // 6 bytes of hashed subpackets: the time
	v4 = append(v4, created...)
	v4 = append(v4, 0, 10, 9, 16) // 10 bytes of others: the key ID
	v4 = append(v4, keyID...)
	v4 = append(v4, left...)
	return append(v4, b[fixed:]...), nil
}

// packetBody splits off the first packet, which must be a signature.
//
// Source: RFC 4880, section 4.2.
func packetBody(b []byte) (body, rest []byte, err error) {
	const tagSignature = 2
	if len(b) < 2 || b[0]&0x80 == 0 {
		return nil, nil, fmt.Errorf("it is not an OpenPGP packet")
	}
	var size, head, tag int
	if b[0]&0x40 != 0 {
		tag = int(b[0] & 0x3f)
		switch first := int(b[1]); {
		case first < 192:
			size, head = first, 2
		case first < 224 && len(b) >= 3:
			size, head = (first-192)<<8+int(b[2])+192, 3
		case first == 255 && len(b) >= 6:
			size, head = int(binary.BigEndian.Uint32(b[2:])), 6
		}
	} else {
		tag = int(b[0] >> 2 & 0x0f)
		switch kind := b[0] & 3; {
		case kind == 0:
			size, head = int(b[1]), 2
		case kind == 1 && len(b) >= 3:
			size, head = int(binary.BigEndian.Uint16(b[1:])), 3
		case kind == 2 && len(b) >= 5:
			size, head = int(binary.BigEndian.Uint32(b[1:])), 5
		}
	}
	if head == 0 || size > len(b)-head {
		return nil, nil, fmt.Errorf("OpenPGP packet is malformed")
	}
	if tag != tagSignature {
		return nil, nil, fmt.Errorf("OpenPGP packet is of type %d, not a signature", tag)
	}
	return b[head : head+size], b[head+size:], nil
}

// verify checks s against content, a hash of the bytes that the signature covers;
// content is not modified.
func (s *signature) verify(content hash.Hash, key *packet.PublicKey) error {
	c, ok := content.(hash.Cloner)
	if !ok {
		return fmt.Errorf("hash %T cannot be cloned", content)
	}
	h, err := c.Clone()
	if err != nil {
		return err
	}
	h.Write(s.trailer)
	sum := fixedSum(h.Sum(nil))
	if !bytes.Equal(sum[:2], s.packet.HashTag[:]) {
		return fmt.Errorf("the content differs from what was signed")
	}
	return key.VerifySignature(sum, s.packet)
}

// fixedSum is a hash.Hash with a known sum.
type fixedSum []byte

func (f fixedSum) Write(p []byte) (int, error) { return len(p), nil }
func (f fixedSum) Sum(b []byte) []byte         { return append(b, f...) }
func (f fixedSum) Reset()                      {}
func (f fixedSum) Size() int                   { return len(f) }
func (f fixedSum) BlockSize() int              { return 1 }

// checkHash rejects signatures with an insecure hash. Error and warning are for
// users.
func (s *signature) checkHash() (warning string, err error) {
	switch s.hash {
	case crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return "", nil
	case crypto.SHA1:
		if s.created.Unix() < sha1Ends {
			return fmt.Sprintf("the %s signature of %s uses weak SHA1", s, day(s.created)), nil
		}
	}
	return "", fmt.Errorf("the %s signature of %s uses an untrusted hash", s, day(s.created))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// hashName returns rpm's name of a hash: SHA256, not SHA-256.
func hashName(h crypto.Hash) string {
	switch h {
	case crypto.MD5:
		return "MD5"
	case crypto.SHA1:
		return "SHA1"
	case crypto.SHA224:
		return "SHA224"
	case crypto.SHA256:
		return "SHA256"
	case crypto.SHA384:
		return "SHA384"
	case crypto.SHA512:
		return "SHA512"
	}
	return h.String()
}

func algorithmName(a packet.PublicKeyAlgorithm) string {
	switch a {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		return "RSA"
	case packet.PubKeyAlgoDSA:
		return "DSA"
	case packet.PubKeyAlgoECDSA:
		return "ECDSA"
	case packet.PubKeyAlgoEdDSA:
		return "EdDSA"
	case packet.PubKeyAlgoEd25519:
		return "Ed25519"
	}
	return fmt.Sprintf("algorithm %d", a)
}

// Tags of the signature header; source: rpm, include/rpm/rpmtag.h and
// docs/manual/signatures_digests.md.
const (
	sigDSAHeader    = 267
	sigRSAHeader    = 268
	sigSHA1Header   = 269
	sigLongSize     = 270
	sigSHA256Header = 273
	sigOpenPGP      = 278
	sigSize         = 1000
	sigPGP          = 1002
	sigMD5          = 1004
	sigGPG          = 1005
	sigPGP5         = 1006
	sigPayloadSize  = 1007
)

// maxSignatures bounds the list in tag OPENPGP.
const maxSignatures = 16

// signatures reads all signatures of a package. Those of an unknown kind are skipped,
// with a warning, in the list of tag OPENPGP, which allows that; anywhere else they
// are an error.
func (f *file) signatures() (all []*signature, warnings []string, err error) {
	for _, kind := range []struct {
		tag    uint32
		covers region
	}{{sigRSAHeader, inHeader}, {sigDSAHeader, inHeader}, {sigPGP, inWhole}, {sigPGP5, inWhole}, {sigGPG, inWhole}} {
		b, err := f.signature.binary(kind.tag)
		if err != nil {
			return nil, nil, corrupt("the signature header: %w", err)
		}
		if b == nil {
			continue
		}
		s, err := parseSignature(b, kind.covers)
		if errors.Is(err, errForeign) {
			return nil, nil, untrusted("the %s signature (tag %d): %w", kind.covers, kind.tag, err)
		}
		if err != nil {
			return nil, nil, corrupt("the %s signature (tag %d): %w", kind.covers, kind.tag, err)
		}
		all = append(all, s)
	}
	list, err := f.signature.texts(sigOpenPGP, maxSignatures)
	if err != nil {
		return nil, nil, corrupt("the signature header: %w", err)
	}
	for _, text := range list {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, nil, corrupt("the header signature (tag %d): %w", sigOpenPGP, err)
		}
		s, err := parseSignature(b, inHeader)
		switch {
		case errors.Is(err, errForeign):
			warnings = append(warnings, fmt.Sprintf("one of its signatures was skipped: %v", err))
		case err != nil:
			return nil, nil, corrupt("the header signature (tag %d): %w", sigOpenPGP, err)
		default:
			s.listed = true
			all = append(all, s)
		}
	}
	return all, warnings, nil
}
