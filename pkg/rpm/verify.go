package rpm

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
)

// Verification is the result of Verify or Check.
type Verification struct {
	Metadata *nevra.Metadata
	Header   Span // position of the header in the file

	Signed       bool      // a pinned key signed header and payload; always false after Check
	Key          Key       // the primary key of the signer
	SigningKeyID string    // 16 hex digits: of the signing key or subkey
	Version      int       // of the signature packet: 3 or 4
	Algorithm    string    // RSA, DSA, EdDSA, ECDSA
	Hash         string    // SHA256
	SigningTime  time.Time // UTC

	Warnings      []string // sentences: weak hash or key, expired key
	PayloadDigest string   // "sha256:HEX" in the header, matching the payload; "" if the header has none
}

// String names the signer: "signed by FINGERPRINT with key ID, V3 RSA/SHA256 of
// 2020-03-13, payload sha256:HEX".
func (v *Verification) String() string {
	text := "signature not checked"
	if v.Signed {
		text = fmt.Sprintf("signed by %s with key %s, V%d %s/%s of %s", v.Key.Fingerprint, v.SigningKeyID, v.Version, v.Algorithm, v.Hash, day(v.SigningTime))
	}
	if v.PayloadDigest != "" {
		text += ", payload " + v.PayloadDigest
	}
	return text
}

// Verify reads a package to its end, once and in constant memory, and accepts it only
// if it is completely signed by a key in keys: a signature over header and payload,
// or a signature over a header with a SHA-2 digest of the payload. All digests and
// signatures of the package must match; only in the list of tag OPENPGP, which is for
// several signers, one is enough. The lead, 96 obsolete bytes, is not covered and not
// used.
//
// Accepted are RSA, DSA, EdDSA and ECDSA signatures, packets of version 3 (as in EL7)
// and 4, by a primary key or a signing subkey, over SHA-2 hashes; over SHA-1 with a
// warning if made before 2024-07-01; never over MD5. An expired key is accepted for
// signatures from before it expired, with a warning. A revoked key is never accepted.
//
// errors.Is distinguishes ErrUnsigned, ErrUntrustedKey, ErrCorrupt and ErrUnsupported.
func Verify(r io.Reader, keys *Keyring) (*Verification, error) {
	v, err := verify(r, keys, true, time.Now())
	if err != nil {
		return nil, fmt.Errorf("cannot verify RPM: %w", err)
	}
	return v, nil
}

// Check reads a package to its end and accepts it if its digests match; signatures
// are ignored. Header and payload must each be covered by a digest. Check detects
// damage, not manipulation: an attacker can change the digests too. Errors are
// ErrCorrupt, ErrUnsupported or those of r.
func Check(r io.Reader) (*Verification, error) {
	v, err := verify(r, nil, false, time.Now())
	if err != nil {
		return nil, fmt.Errorf("cannot check RPM: %w", err)
	}
	return v, nil
}

func verify(r io.Reader, keys *Keyring, signed bool, now time.Time) (*Verification, error) {
	f, err := openFile(r)
	if err != nil {
		return nil, err
	}
	m, err := f.metadata()
	if err != nil {
		return nil, err
	}
	digests, unread := f.digests()
	c := &checker{
		file: f, digests: digests, now: now,
		result: &Verification{Metadata: m, Header: f.span},
		sums:   map[region]map[crypto.Hash]hash.Hash{inHeader: {}, inPayload: {}, inWhole: {}},
	}
	// Report damage first: a damaged file can look unsupported.
	if err := c.checkDigests(inHeader); err != nil {
		return nil, err
	}
	if err := f.checkFormat(); err != nil {
		return nil, err
	}
	if unread != nil {
		return nil, unread
	}
	if signed {
		err = c.prepare(keys)
	} else {
		err = c.coveredByDigests()
	}
	if err != nil {
		return nil, err
	}
	if err := c.readPayload(); err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return c.result, nil
}

// checker is one package being verified.
type checker struct {
	file       *file
	digests    []digest
	signatures []judged
	result     *Verification
	now        time.Time
	sums       map[region]map[crypto.Hash]hash.Hash
	size       int64 // bytes of header and payload
}

// judged is a signature with the keys that may have made it.
type judged struct {
	*signature
	keys []candidate
}

// sum returns the hash of a region, to which readPayload writes; that of a header is
// already complete.
func (c *checker) sum(covers region, kind crypto.Hash) hash.Hash {
	h, ok := c.sums[covers][kind]
	if !ok {
		h = kind.New()
		if covers&inHeader != 0 {
			h.Write(c.file.header.raw)
		}
		c.sums[covers][kind] = h
	}
	return h
}

// prepare checks keys and hashes of the signatures before the payload is read, so that
// an untrusted package fails early.
func (c *checker) prepare(keys *Keyring) error {
	all, warnings, err := c.file.signatures()
	if err != nil {
		return err
	}
	c.result.Warnings = warnings
	if len(all) == 0 {
		if len(warnings) > 0 {
			return untrusted("%s", strings.Join(warnings, "; "))
		}
		return hint.With(ErrUnsigned, "if the repository does not sign its packages, set `gpgcheck: false` for it in the manifest; the lock still pins each package by its sha256")
	}
	trusted := region(0)
	var failed error
	for _, s := range all {
		found, warnings, err := keys.candidates(s, c.now)
		if err != nil && s.listed {
			failed = err
			c.warn([]string{fmt.Sprintf("one of its signatures was ignored: %v", err)})
			continue
		}
		if err != nil {
			return err
		}
		c.warn(warnings)
		c.signatures = append(c.signatures, judged{s, found})
		trusted |= s.covers
		c.sum(s.covers, s.hash)
	}
	if len(c.signatures) == 0 {
		return failed
	}
	if err := c.checkSignatures(inHeader); err != nil {
		return err
	}
	if trusted&inPayload == 0 && !c.payloadDigestIsStrong() {
		return untrusted("the signature covers only the header, which has no SHA-2 digest of the payload")
	}
	return nil
}

func (c *checker) warn(warnings []string) {
	for _, w := range warnings {
		known := false
		for _, old := range c.result.Warnings {
			known = known || old == w
		}
		if !known {
			c.result.Warnings = append(c.result.Warnings, w)
		}
	}
}

// payloadDigestIsStrong reports whether the header has a SHA-2 digest of the payload.
func (c *checker) payloadDigestIsStrong() bool {
	for _, d := range c.digests {
		if d.covers == inPayload && d.hash != crypto.MD5 && d.hash != crypto.SHA1 {
			return true
		}
	}
	return false
}

func (c *checker) coveredByDigests() error {
	covered := region(0)
	for _, d := range c.digests {
		covered |= d.covers
	}
	if covered != inWhole {
		return corrupt("it has no digest of its %s", inWhole&^covered)
	}
	return nil
}

const copyBuffer = 256 << 10

// readPayload streams the payload through all hashes that need it.
func (c *checker) readPayload() error {
	for _, d := range c.digests {
		c.sum(d.covers, d.hash)
	}
	var sinks []io.Writer
	for _, covers := range []region{inPayload, inWhole} {
		for _, h := range c.sums[covers] {
			sinks = append(sinks, h)
		}
	}
	n, err := io.CopyBuffer(io.MultiWriter(sinks...), onlyReader{c.file.rest}, make([]byte, copyBuffer))
	if err != nil {
		return fmt.Errorf("cannot read the payload: %w", err)
	}
	c.size = int64(len(c.file.header.raw)) + n
	return nil
}

// onlyReader hides WriterTo, which would allocate its own buffer.
type onlyReader struct{ io.Reader }

func (c *checker) finish() error {
	s := &decoder{header: c.file.signature}
	want := s.num(sigLongSize, sigSize)
	if s.err != nil {
		return corrupt("the signature header: %w", s.err)
	}
	switch {
	case want > c.size:
		return corrupt("it is truncated: %d of %d bytes of header and payload: %w", c.size, want, io.ErrUnexpectedEOF)
	case want > 0 && want < c.size:
		return corrupt("%d bytes follow its end", c.size-want)
	}
	for _, covers := range []region{inPayload, inWhole} {
		if err := c.checkDigests(covers); err != nil {
			return err
		}
		if err := c.checkSignatures(covers); err != nil {
			return err
		}
	}
	for _, d := range c.digests {
		if d.covers == inPayload {
			c.result.PayloadDigest = strings.ToLower(hashName(d.hash)) + ":" + hex.EncodeToString(d.want)
		}
	}
	return nil
}

func (c *checker) checkDigests(covers region) error {
	for _, d := range c.digests {
		if d.covers == covers && !bytes.Equal(c.sum(covers, d.hash).Sum(nil), d.want) {
			return corrupt("the %s digest of its %s does not match", hashName(d.hash), covers)
		}
	}
	return nil
}

// checkSignatures verifies the signatures over a region; the result describes the
// last valid one.
func (c *checker) checkSignatures(covers region) error {
	for _, s := range c.signatures {
		if s.covers != covers {
			continue
		}
		var by *candidate
		var failed error
		for i := range s.keys {
			if failed = s.verify(c.sum(covers, s.hash), s.keys[i].public); failed == nil {
				by = &s.keys[i]
				break
			}
		}
		if by == nil {
			return corrupt("the %s signature of its %s by key %016X does not match: %w", s, covers, s.keyID, failed)
		}
		r := c.result
		r.Signed, r.Key, r.SigningKeyID = true, by.primary, fmt.Sprintf("%016X", s.keyID)
		r.Version, r.SigningTime = s.version, s.created.UTC()
		r.Algorithm, r.Hash = algorithmName(s.packet.PubKeyAlgo), hashName(s.hash)
	}
	return nil
}

// digest is a digest in the package of one of its regions.
type digest struct {
	covers region
	hash   crypto.Hash
	want   []byte
}

// digests reads the digests in the signature header and the payload's digest in the
// header. With an error it returns the digests read so far.
func (f *file) digests() ([]digest, error) {
	var all []digest
	add := func(covers region, kind crypto.Hash, want []byte, err error) error {
		if err == nil && len(want) != kind.Size() {
			err = fmt.Errorf("it has %d bytes instead of %d", len(want), kind.Size())
		}
		if err != nil {
			return corrupt("the %s digest of its %s: %w", hashName(kind), covers, err)
		}
		all = append(all, digest{covers, kind, want})
		return nil
	}
	for tag, kind := range map[uint32]crypto.Hash{sigSHA1Header: crypto.SHA1, sigSHA256Header: crypto.SHA256} {
		text, err := f.signature.text(tag)
		if text == "" && err == nil {
			continue
		}
		want, decodeErr := hex.DecodeString(text)
		if err == nil {
			err = decodeErr
		}
		if err := add(inHeader, kind, want, err); err != nil {
			return all, err
		}
	}
	if sum, err := f.signature.binary(sigMD5); sum != nil || err != nil {
		if err := add(inWhole, crypto.MD5, sum, err); err != nil {
			return all, err
		}
	}
	kind, want, err := f.payloadDigest()
	if kind != 0 {
		err = add(inPayload, kind, want, err)
	}
	return all, err
}

// payloadDigest returns the header's digest of the compressed payload; kind is 0 if
// there is none.
func (f *file) payloadDigest() (kind crypto.Hash, want []byte, err error) {
	d := &decoder{header: f.header}
	text, id := d.str(tagPayloadDigest), d.num(tagPayloadDigestAl)
	if d.err != nil {
		return 0, nil, corrupt("the payload digest: %w", d.err)
	}
	if text == "" {
		return 0, nil, nil
	}
	// Numbers of hashes; source: RFC 4880, section 9.4.
	kind, ok := map[int64]crypto.Hash{1: crypto.MD5, 2: crypto.SHA1, 8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}[id]
	if !ok {
		return 0, nil, unsupported("a payload digest with RFC 4880 algorithm %d", id)
	}
	want, err = hex.DecodeString(text)
	return kind, want, err
}
