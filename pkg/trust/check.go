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

// KeyFile is where a host keeps the public key that it trusts, in minisign's
// format, until it is reset.
const KeyFile = step.Dir + "/trusted.pub"

// Options are what the operator says of the signature.
type Options struct {
	Key     string // a public key, or its file; "" for the one that the host knows
	Require bool   // an archive without a signature is refused, also where no key is known
}

// Origin says where the key comes from that an archive is trusted by.
type Origin string

// The origins of a key. None is for an archive without a signature, and Unknown
// for one whose signature nobody can check, as its key is nowhere.
const (
	Pinned   Origin = "pinned"    // the operator named it
	Known    Origin = "known"     // the host has trusted it before
	FirstUse Origin = "first use" // it lies beside the archive, and the host knows no other
	Unknown  Origin = "unknown"
	None     Origin = "none"
)

// Trusted says who signed an archive, as far as that can be told.
type Trusted struct {
	Origin      Origin `json:"origin"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Key         string `json:"key,omitempty"`    // as minisign writes it
	Unseen      bool   `json:"unseen,omitempty"` // which key the host trusts cannot be seen by who is not root
	comment     string // signed with the index
}

// Check decides whether the archive at path, whose index.json is index, may be
// used on h. A nil h is a machine that knows no key. Nothing of the archive may
// be believed before. Where no key is known, it takes the one beside the archive,
// whose signature must be right all the same; an archive with neither passes
// unless o requires a signature. What is refused gives an *UntrustedError.
//
// Who is not root cannot see which key h trusts. Such a one changes nothing, and
// is told what follows from the rest, and that this was not seen.
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
		t.Unseen = c.unseen
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

// check is a Check under way.
type check struct {
	host   bool   // it is for a host, which may know a key
	base   string // of the archive's sidecars
	index  []byte
	key    *PublicKey // pinned or known, or nil
	origin Origin     // of key
	unseen bool       // the host's key

	signature []byte     // of the index, nil where there is none
	offered   *PublicKey // beside the archive, nil where there is none
}

// name is that of a sidecar, for messages.
func (c *check) name(suffix string) string { return filepath.Base(c.base) + suffix }

// known finds the key that counts.
func (c *check) known(h *host.Host, pinned string) error {
	recorded, err := recordedKey(h)
	if errors.Is(err, fs.ErrPermission) {
		c.unseen, err = true, nil
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
		return hint.With(untrusted(c.name(""), "this host trusts the key with the fingerprint %s, --key names one with %s", recorded.Fingerprint(), k.Fingerprint()), "%s", c.changedHint())
	}
	c.key, c.origin = &k, Pinned
	return nil
}

// changedHint is for a key that is another than the one that counts.
func (c *check) changedHint() string {
	if !c.host {
		return "ask who made the archive for the fingerprint of the key; --key NAME.pub names the key to check it by, bundle verify without --key shows who signed it"
	}
	return "ask who made the stick for the fingerprint of the key; only if it was changed on purpose: rm " + KeyFile + " on this host, then the same command with --key and the new key"
}

// recordedKey is the key that h trusts, nil where there is none.
func recordedKey(h *host.Host) (*PublicKey, error) {
	if h == nil {
		return nil, nil
	}
	text, err := h.ReadFile(KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the key that this host trusts: %w", err)
	}
	k, err := ParsePublicKey(string(text))
	if err != nil {
		return nil, hint.With(untrusted(KeyFile, "%v", err), "rm %s, then the same command with --key and the public key", KeyFile)
	}
	return &k, nil
}

// beside reads what lies beside the archive.
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

// optional reads a file beside an archive that may be missing: nil then.
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

// signHint fixes an archive that is not signed.
func (c *check) signHint(err error) error {
	return hint.With(err, "copy %s from where the archive comes from; there, bundle sign %s --key NAME.key makes it", c.name(archive.IndexSignatureSuffix), c.name(""))
}

// unsigned decides on an archive without a signature.
func (c *check) unsigned(o Options) (*Trusted, error) {
	var reason string
	switch {
	case c.key != nil && c.origin == Known:
		reason = "this host trusts the key with the fingerprint " + c.key.Fingerprint()
	case c.key != nil:
		reason = "--key names the key with the fingerprint " + c.key.Fingerprint()
	case o.Require:
		reason = "--require-signature was given"
	case c.offered != nil:
		reason = c.name(archive.PublicKeySuffix) + " lies beside it"
	default:
		return &Trusted{Origin: None}, nil
	}
	return nil, c.signHint(untrusted(c.name(""), "it is not signed: %s is missing, and %s", c.name(archive.IndexSignatureSuffix), reason))
}

// unknown decides on a signature that cannot be checked.
func (c *check) unknown(o Options) (*Trusted, error) {
	if !o.Require {
		return &Trusted{Origin: Unknown}, nil
	}
	err := untrusted(c.name(""), "it is signed by a key that this host does not know, and that does not lie beside it")
	return nil, hint.With(err, "--key FILE names the public key")
}

// signed checks the signature with the key that counts.
func (c *check) signed() (*Trusted, error) {
	s, err := verify(*c.key, c.index, c.signature)
	if err == nil {
		return &Trusted{Origin: c.origin, Fingerprint: c.key.Fingerprint(), Key: c.key.String(), comment: s.TrustedComment}, nil
	}
	if c.offered != nil {
		if _, err := verify(*c.offered, c.index, c.signature); err == nil {
			return nil, c.changed("the key with the fingerprint " + c.offered.Fingerprint())
		}
	}
	if errors.Is(err, errOtherKey) && c.origin != FirstUse {
		return nil, c.changed("another key, which does not lie beside it")
	}
	return nil, copyHint(untrusted(c.name(archive.IndexSignatureSuffix), "%v: index.json was changed, or this is the signature of another archive", err))
}

// changed is the error for an archive that is signed, but by another key.
func (c *check) changed(other string) error {
	who := "this host trusts"
	if c.origin == Pinned {
		who = "--key names"
	}
	return hint.With(untrusted(c.name(""), "%s the key with the fingerprint %s, and it is signed by %s", who, c.key.Fingerprint(), other), "%s", c.changedHint())
}

// copyHint fixes what does not fit together.
func copyHint(err error) error {
	return hint.With(err, "copy the archive again with all files beside it; if that does not help, somebody changed it: do not use it")
}

// What is wrong with a signature.
var (
	errOtherKey     = errors.New("it is by another key")
	errNoSignature  = errors.New("it is no signature of minisign's")
	errNotPrehashed = errors.New("it is a signature of minisign's old sort, which is not used here")
	errWrong        = errors.New("the signature is wrong")
)

// verify checks a signature of content.
func verify(k PublicKey, content, signature []byte) (s minisign.Signature, err error) {
	if s, err = parseSignature(k, signature); err != nil {
		return s, err
	}
	if !minisign.Verify(k.mini, content, signature) {
		return s, errWrong
	}
	return s, nil
}

// parseSignature reads a signature and compares the ID of its key: that is only
// a name, which anybody can give to a key.
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

// Text says in a sentence or two who signed the archive.
func (t *Trusted) Text() string {
	if t.Unseen {
		return t.text() + ". Which key this host trusts only root can see"
	}
	return t.text()
}

func (t *Trusted) text() string {
	switch t.Origin {
	case Pinned:
		return "signed by the key that --key names, fingerprint " + t.Fingerprint
	case Known:
		return "signed by the key that this host trusts, fingerprint " + t.Fingerprint
	case FirstUse:
		return "signed by the key that lies beside the archive, fingerprint " + t.Fingerprint +
			". Nothing here says whose it is: compare it with what bundle keygen showed, or name the key with --key"
	case Unknown:
		return "signed by a key that is not known here: its origin is not proven. --key FILE names the key"
	case None:
	}
	return "not signed: its origin is not proven"
}

// Remember makes h trust the key from now on, until it is reset. An archive that
// is not signed leaves h as it is.
func (t *Trusted) Remember(h *host.Host) error {
	if t == nil || t.Key == "" || t.Origin == Known {
		return nil
	}
	k, err := ParsePublicKey(t.Key)
	if err != nil {
		return fmt.Errorf("cannot note the key to trust: %w", err)
	}
	if err := h.With(host.Unrecorded{}).State().Write(KeyFile, k.file()); err != nil {
		return fmt.Errorf("cannot note the key to trust: %w", err)
	}
	return nil
}
