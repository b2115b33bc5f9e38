package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"aead.dev/minisign"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/step"
)

// KeyFile is where a host stores the public key that it trusts, in minisign's format,
// until it is reset.
const KeyFile = step.Dir + "/trusted.pub"

// Options are the operator's choices about the signature.
type Options struct {
	Key     string // a public key or its file; "" for the host's trusted key
	Require bool   // refuse an archive without a signature, even if no key is known
}

// Origin is where the key that an archive is verified with comes from.
type Origin string

// The origins of a key. None is for an archive without a signature, and Unknown for
// one whose signature cannot be verified, as its key is not available.
const (
	Pinned   Origin = "pinned"    // given by the operator
	Known    Origin = "known"     // already trusted by the host
	FirstUse Origin = "first use" // beside the archive, and the host trusts no other
	Unknown  Origin = "unknown"
	None     Origin = "none"
)

// Trusted says who signed an archive, as far as that is known.
type Trusted struct {
	Origin      Origin `json:"origin"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Key         string `json:"key,omitempty"`    // as minisign writes it
	Unchecked   bool   `json:"unseen,omitempty"` // the host's trusted key was not checked: reading it needs root
	comment     string // covered by the signature of the index
}

// Check decides whether the archive at path, whose index.json is index, may be used
// on h. A nil h is a machine without a trusted key. Nothing in the archive may be
// trusted before. If no key is known, Check uses the one beside the archive, and the
// signature must still be valid; an archive with neither passes unless o requires a
// signature. A refused archive gives an *UntrustedError.
//
// Only root can read which key h trusts. For other users, who can change nothing, the
// result is based on the rest and says that the key was not checked.
func Check(h *host.Host, path string, index []byte, o Options) (*Trusted, error) {
	c := &check{index: index, host: h != nil}
	var err error
	if c.base, _, err = archive.Files(path); err != nil {
		return nil, err
	}
	if err := c.known(h, o.Key); err != nil {
		return nil, err
	}
	if err := c.beside(); err != nil {
		return nil, err
	}
	t, err := c.decide(o)
	if t != nil {
		t.Unchecked = c.unchecked
	}
	return t, err
}

func (c *check) decide(o Options) (*Trusted, error) {
	switch {
	case c.signature == nil:
		return c.unsigned(o)
	case c.key == nil && c.offered == nil:
		return c.unknown(o)
	case c.key == nil:
		c.key, c.origin = c.offered, FirstUse
	}
	return c.signed()
}

// check is the state of a Check.
type check struct {
	host      bool   // for a host, which may trust a key
	base      string // path prefix of the archive's sidecars
	index     []byte
	key       *PublicKey // pinned or known, or nil
	origin    Origin     // of key
	unchecked bool       // the host's key was not checked

	signature []byte     // of the index, nil if there is none
	offered   *PublicKey // beside the archive, nil if there is none
}

// name returns the name of a sidecar, for messages.
func (c *check) name(suffix string) string { return filepath.Base(c.base) + suffix }

// known finds the key to verify with.
func (c *check) known(h *host.Host, pinned string) error {
	recorded, err := recordedKey(h)
	if errors.Is(err, fs.ErrPermission) {
		c.unchecked, err = true, nil
	}
	if err != nil {
		return err
	}
	c.key, c.origin = recorded, Known
	if pinned == "" {
		return nil
	}
	k, err := ReadPublicKey(pinned)
	if err != nil {
		return untrusted(c.name(""), "%v", err)
	}
	if recorded != nil && !recorded.Equal(k) {
		return hint.With(untrusted(c.name(""), "this host trusts the key with fingerprint %s, but --key has fingerprint %s", recorded.Fingerprint(), k.Fingerprint()), "%s", c.changedHint())
	}
	c.key, c.origin = &k, Pinned
	return nil
}

// changedHint is the hint for an archive signed with an unexpected key.
func (c *check) changedHint() string {
	if !c.host {
		return "ask the archive's maker for the key's fingerprint; see the signer with bundle verify without --key; verify with --key NAME.pub"
	}
	return "ask the stick's maker for the key's fingerprint; only if the key was changed on purpose: rm " + KeyFile + " on this host, then run the same command with --key and the new key"
}

// recordedKey returns the key that h trusts, nil if there is none.
func recordedKey(h *host.Host) (*PublicKey, error) {
	if h == nil {
		return nil, nil
	}
	text, err := h.ReadFile(KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read this host's trusted key: %w", err)
	}
	k, err := ParsePublicKey(string(text))
	if err != nil {
		return nil, hint.With(untrusted(KeyFile, "%v", err), "rm %s, then run the same command with --key and the public key", KeyFile)
	}
	return &k, nil
}

// beside reads the key and signature beside the archive.
func (c *check) beside() (err error) {
	if c.signature, err = optional(c.base + archive.IndexSignatureSuffix); err != nil {
		return untrusted(c.name(archive.IndexSignatureSuffix), "%v", err)
	}
	text, err := optional(c.base + archive.PublicKeySuffix)
	if err != nil {
		return untrusted(c.name(archive.PublicKeySuffix), "%v", err)
	}
	if text == nil {
		return nil
	}
	k, err := ParsePublicKey(string(text))
	if err != nil {
		return untrusted(c.name(archive.PublicKeySuffix), "%v", err)
	}
	c.offered = &k
	return nil
}

// optional reads a file beside an archive, nil if it is missing.
func optional(path string) ([]byte, error) {
	text, err := media.At(filepath.Dir(path)).ReadFile(filepath.Base(path), maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if text == nil && err == nil {
		text = []byte{}
	}
	return text, err
}

// signHint adds the hint for an unsigned archive.
func (c *check) signHint(err error) error {
	return hint.With(err, "copy %s from the archive's source; if it is missing there, create it with bundle sign %s --key NAME.key", c.name(archive.IndexSignatureSuffix), c.name(""))
}

// unsigned decides about an archive without a signature.
func (c *check) unsigned(o Options) (*Trusted, error) {
	var reason string
	switch {
	case c.key != nil && c.origin == Known:
		reason = "this host trusts the key with fingerprint " + c.key.Fingerprint()
	case c.key != nil:
		reason = "--key has fingerprint " + c.key.Fingerprint()
	case o.Require:
		reason = "--require-signature was given"
	case c.offered != nil:
		reason = c.name(archive.PublicKeySuffix) + " is beside it"
	default:
		return &Trusted{Origin: None}, nil
	}
	return nil, c.signHint(untrusted(c.name(""), "not signed: %s is missing, but %s", c.name(archive.IndexSignatureSuffix), reason))
}

// unknown decides about a signature that cannot be verified.
func (c *check) unknown(o Options) (*Trusted, error) {
	if !o.Require {
		return &Trusted{Origin: Unknown}, nil
	}
	err := untrusted(c.name(""), "signed with a key that this host does not trust and that is not beside the archive")
	return nil, hint.With(err, "pass the public key with --key FILE")
}

// signed verifies the signature with the key of the pinned, known or first-use origin.
func (c *check) signed() (*Trusted, error) {
	s, err := verify(*c.key, c.index, c.signature)
	if err == nil {
		return &Trusted{Origin: c.origin, Fingerprint: c.key.Fingerprint(), Key: c.key.String(), comment: s.TrustedComment}, nil
	}
	if c.offered != nil {
		if _, err := verify(*c.offered, c.index, c.signature); err == nil {
			return nil, c.changed("the key with fingerprint " + c.offered.Fingerprint())
		}
	}
	if errors.Is(err, errOtherKey) && c.origin != FirstUse {
		return nil, c.changed("another key, which is not beside it")
	}
	return nil, copyHint(untrusted(c.name(archive.IndexSignatureSuffix), "%v: index.json was changed, or the signature belongs to another archive", err))
}

// changed returns the error for an archive that is signed with another key.
func (c *check) changed(other string) error {
	who := "this host trusts"
	if c.origin == Pinned {
		who = "--key is"
	}
	return hint.With(untrusted(c.name(""), "%s the key with fingerprint %s, but the archive is signed with %s", who, c.key.Fingerprint(), other), "%s", c.changedHint())
}

// copyHint adds the hint for files that do not match.
func copyHint(err error) error {
	return hint.With(err, "copy the archive again with all files beside it; if the error persists, the archive was modified: do not use it")
}

// The errors of a signature.
var (
	errOtherKey     = errors.New("made with another key")
	errNoSignature  = errors.New("not a minisign signature")
	errNotPrehashed = errors.New("a legacy minisign signature, which is not supported")
	errWrong        = errors.New("invalid signature")
)

// verify verifies a signature of content.
func verify(k PublicKey, content, signature []byte) (s minisign.Signature, err error) {
	if s, err = parseSignature(k, signature); err != nil {
		return s, err
	}
	if !minisign.Verify(k.mini, content, signature) {
		return s, errWrong
	}
	return s, nil
}

// parseSignature reads a signature and compares the ID of its key, which is not
// authenticated.
func parseSignature(k PublicKey, signature []byte) (s minisign.Signature, err error) {
	switch err := s.UnmarshalText(signature); {
	case err != nil:
		return s, errNoSignature
	case s.Algorithm != minisign.HashEdDSA:
		return s, errNotPrehashed
	case s.KeyID != k.mini.ID():
		return s, errOtherKey
	}
	return s, nil
}

// Text says in one or two sentences who signed the archive.
func (t *Trusted) Text() string {
	if t.Unchecked {
		return t.text() + ". This host's trusted key was not checked: reading it needs root"
	}
	return t.text()
}

func (t *Trusted) text() string {
	switch t.Origin {
	case Pinned:
		return "signed with the key given by --key, fingerprint " + t.Fingerprint
	case Known:
		return "signed with the key that this host trusts, fingerprint " + t.Fingerprint
	case FirstUse:
		return "signed with the key beside the archive, fingerprint " + t.Fingerprint +
			". Its owner is not verified: compare the fingerprint with the output of bundle keygen, or pass the key with --key"
	case Unknown:
		return "signed with an unknown key: origin not verified. Pass the key with --key FILE"
	case None:
	}
	return "not signed: origin not verified"
}

// Remember makes h trust the key until it is reset. An unsigned archive changes
// nothing.
func (t *Trusted) Remember(h *host.Host) error {
	if t == nil || t.Key == "" || t.Origin == Known {
		return nil
	}
	k, err := ParsePublicKey(t.Key)
	if err != nil {
		return fmt.Errorf("cannot save the trusted key: %w", err)
	}
	if err := h.With(host.Unrecorded{}).State().Write(KeyFile, k.file()); err != nil {
		return fmt.Errorf("cannot save the trusted key: %w", err)
	}
	return nil
}
