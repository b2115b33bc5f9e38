package rpm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"kubecrate/pkg/rpm"
	"kubecrate/pkg/rpm/rpmtest"
)

// sigEntry is an entry of a signature header that resigned writes.
type sigEntry struct {
	tag, kind uint32
	count     int
	data      []byte
}

func binEntry(tag uint32, data []byte) sigEntry { return sigEntry{tag, 7, len(data), data} }

func stringEntry(tag uint32, kind uint32, list ...string) sigEntry {
	return sigEntry{tag, kind, len(list), []byte(strings.Join(list, "\x00") + "\x00")}
}

// resigned replaces a package's signature header; the entries come by tag.
func resigned(t testing.TB, file []byte, entries ...sigEntry) []byte {
	t.Helper()
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var index, store []byte
	for _, e := range entries {
		for _, n := range []int{int(e.tag), int(e.kind), len(store), e.count} {
			index = binary.BigEndian.AppendUint32(index, uint32(n))
		}
		store = append(store, e.data...)
	}
	out := append(bytes.Clone(file[:96]), 0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(entries)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(store)))
	out = append(append(out, index...), store...)
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	return append(out, file[span.Start:]...)
}

func sign(t testing.TB, s *rpmtest.Signer, data []byte) []byte {
	t.Helper()
	sig, err := s.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// TestVerifyTrust holds the rule of trust: what vouches for header and payload
// together, and what only seems to.
func TestVerifyTrust(t *testing.T) {
	t.Parallel()
	s, other := newSigner(t, rpmtest.SignerOptions{}), newSigner(t, rpmtest.SignerOptions{EdDSA: true})
	keys, file := readKeyring(t, s.ArmoredPublicKey()), build(t, s)
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	header, whole := file[span.Start:span.End], file[span.Start:]
	text := func(s *rpmtest.Signer) string { return base64.StdEncoding.EncodeToString(sign(t, s, header)) }
	md5Signature := append([]byte{0x88, 0x53, 3, 5, 0}, make([]byte, 0x50)...)
	md5Signature[15+2], md5Signature[16+2] = 1, 1 // RSA, MD5
	version6 := base64.StdEncoding.EncodeToString(append([]byte{0xc2, 40, 6, 0, 27, 8}, make([]byte, 36)...))
	sha256Header := sha256.Sum256(header)
	const rsaHeader, rsaWhole, openPGP, headerDigest = 268, 1002, 278, 273
	for _, c := range []struct {
		name    string
		entries []sigEntry
		want    error
		text    string // of the error, or of the warnings
	}{
		{"header signature and signed payload digest", []sigEntry{binEntry(rsaHeader, sign(t, s, header))}, nil, ""},
		{"header+payload signature alone", []sigEntry{binEntry(rsaWhole, sign(t, s, whole))}, nil, ""},
		{"a list of one", []sigEntry{stringEntry(openPGP, 8, text(s))}, nil, ""},
		{"a list with a foreign one", []sigEntry{stringEntry(openPGP, 8, text(other), text(s))}, nil, "one of its signatures was ignored"},
		{"a list with one of the future", []sigEntry{stringEntry(openPGP, 8, version6, text(s))}, nil, "one of its signatures was skipped"},
		{"a list of foreign ones", []sigEntry{stringEntry(openPGP, 8, text(other), text(other))}, rpm.ErrUntrustedKey, "pinned keys: Test Key"},
		{"a list of one of the future", []sigEntry{stringEntry(openPGP, 8, version6)}, rpm.ErrUntrustedKey, "version 6"},
		{"a list of nonsense", []sigEntry{stringEntry(openPGP, 8, "%%%")}, rpm.ErrCorrupt, "tag 278"},
		{"a list that is too long", []sigEntry{stringEntry(openPGP, 8, make([]string, 17)...)}, rpm.ErrCorrupt, "17 strings"},
		{"one good, one foreign", []sigEntry{binEntry(rsaHeader, sign(t, s, header)), binEntry(rsaWhole, sign(t, other, whole))}, rpm.ErrUntrustedKey, "pinned keys: Test Key"},
		{"of another package", []sigEntry{binEntry(rsaHeader, sign(t, s, []byte("other")))}, rpm.ErrCorrupt, "signature of its header"},
		{"of the header in the place of the whole", []sigEntry{binEntry(rsaWhole, sign(t, s, header))}, rpm.ErrCorrupt, "signature of its header+payload"},
		{"MD5", []sigEntry{binEntry(rsaHeader, md5Signature)}, rpm.ErrUntrustedKey, "hash function 1"},
		{"no signature at all", []sigEntry{stringEntry(headerDigest, 6, hex.EncodeToString(sha256Header[:]))}, rpm.ErrUnsigned, ""},
		{"two in one tag", []sigEntry{binEntry(rsaHeader, append(sign(t, s, header), sign(t, s, header)...))}, rpm.ErrCorrupt, "follow the signature"},
		{"nonsense", []sigEntry{binEntry(rsaHeader, []byte("nonsense"))}, rpm.ErrCorrupt, "not an OpenPGP packet"},
		{"a signature that is a string", []sigEntry{stringEntry(rsaHeader, 6, "x")}, rpm.ErrCorrupt, "not binary"},
	} {
		v, err := rpm.Verify(bytes.NewReader(resigned(t, file, c.entries...)), keys)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (err == nil && !v.Signed) {
			t.Errorf("%s: %+v, %v, want %v", c.name, v, err, c.want)
			continue
		}
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			said = strings.Join(v.Warnings, "; ")
		}
		if !strings.Contains(said, c.text) || (err == nil && (said == "") != (c.text == "")) {
			t.Errorf("%s: says %q, want %q", c.name, said, c.text)
		}
	}
}

// TestVerifyHeaderAlone: EL7's headers hold no digest of the payload, so a
// signature over such a header proves nothing of the payload.
func TestVerifyHeaderAlone(t *testing.T) {
	t.Parallel()
	p := signedPackages(t)["V3 RSA"]
	at := bytes.Index(p.file, []byte{0, 0, 1002 >> 8, 1002 & 0xff, 0, 0, 0, 7}) // tag SIGPGP, type binary
	if at < 0 || at > 500 {
		t.Fatalf("no header+payload signature at %d", at)
	}
	without := bytes.Clone(p.file)
	without[at+3]++ // an unknown tag
	_, err := rpm.Verify(bytes.NewReader(without), p.keys)
	if !errors.Is(err, rpm.ErrUntrustedKey) || !strings.Contains(err.Error(), "covers only the header") {
		t.Errorf("%v", err)
	}
	if _, err := rpm.Check(bytes.NewReader(without)); err != nil {
		t.Errorf("its digests: %v", err)
	}
}

// TestCheckDigests alters digests and leaves them out.
func TestCheckDigests(t *testing.T) {
	t.Parallel()
	file := build(t, nil)
	_, span, err := rpm.ReadHeader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	good := sha256.Sum256(file[span.Start:span.End])
	const sha1Header, sha256Header, md5Whole = 269, 273, 1004
	for _, c := range []struct {
		name  string
		entry sigEntry
		want  string
	}{
		{"the header's", stringEntry(sha256Header, 6, hex.EncodeToString(good[:])), ""},
		{"a wrong one", stringEntry(sha256Header, 6, strings.Repeat("00", 32)), "the SHA256 digest of its header does not match"},
		{"a short one", stringEntry(sha256Header, 6, "00"), "it has 1 bytes instead of 32"},
		{"no hex", stringEntry(sha1Header, 6, "no hex"), "SHA1 digest of its header"},
		{"a wrong one of all", binEntry(md5Whole, make([]byte, 16)), "the MD5 digest of its header+payload does not match"},
		{"none of the header", stringEntry(999, 6, ""), "it has no digest of its header"},
	} {
		v, err := rpm.Check(bytes.NewReader(resigned(t, file, c.entry)))
		if c.want == "" {
			if err != nil || v.Signed {
				t.Errorf("%s: %+v, %v", c.name, v, err)
			}
			continue
		}
		if !errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	file[len(file)-1] ^= 1
	_, err = rpm.Check(bytes.NewReader(resigned(t, file, stringEntry(sha256Header, 6, hex.EncodeToString(good[:])))))
	if !errors.Is(err, rpm.ErrCorrupt) || !strings.Contains(err.Error(), "the SHA256 digest of its payload does not match") {
		t.Errorf("payload altered: %v", err)
	}
}
