package trust

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"kubecrate/pkg/archive"
)

// CheckFiles verifies the signatures for stock tools beside the archive at base:
// minisign's with the key that signed the index, openssl's with the key named in the
// index's signature. files are the digests of the archive and of the programs beside
// it. It returns the names of the files that have a signature; these are optional. An
// invalid signature gives an *UntrustedError.
func (t *Trusted) CheckFiles(base string, files []File) (names []string, err error) {
	if t.Key == "" {
		return nil, nil
	}
	key, err := ParsePublicKey(t.Key)
	if err != nil {
		return nil, err
	}
	ec, err := t.openSSLKey(base + archive.OpenSSLKeySuffix)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		signed, err := checkFile(key, ec, f)
		if err != nil {
			return nil, copyHint(err)
		}
		if signed {
			names = append(names, filepath.Base(f.Path))
		}
	}
	return names, nil
}

// openSSLKey reads the ECDSA key beside the archive, nil if there is none.
func (t *Trusted) openSSLKey(path string) (*ecdsa.PublicKey, error) {
	name := filepath.Base(path)
	text, err := optional(path)
	if err != nil {
		return nil, untrusted(name, "%v", err)
	}
	if text == nil {
		return nil, nil
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, untrusted(name, "not a PEM public key")
	}
	_, want, _ := strings.Cut(t.comment, openSSLMark)
	if hexSHA256(block.Bytes) != want {
		return nil, untrusted(name, "not the key named in the signature of index.json")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, untrusted(name, "not a public key: %v", err)
	}
	ec, ok := k.(*ecdsa.PublicKey)
	if !ok {
		return nil, untrusted(name, "not an ECDSA key")
	}
	return ec, nil
}

// checkFile verifies the signatures of one file; signed is false if it has none.
func checkFile(key PublicKey, ec *ecdsa.PublicKey, f File) (signed bool, err error) {
	name := filepath.Base(f.Path)
	mini, err := optional(f.Path + archive.SignatureSuffix)
	if err != nil {
		return false, untrusted(name+archive.SignatureSuffix, "%v", err)
	}
	der, err := optional(f.Path + archive.OpenSSLSuffix)
	if err != nil {
		return false, untrusted(name+archive.OpenSSLSuffix, "%v", err)
	}
	if mini == nil && der == nil {
		return false, nil
	}
	d, sum, err := f.digests()
	if err != nil {
		return false, fmt.Errorf("cannot verify the signature of %s: %w", name, err)
	}
	if mini != nil {
		_, err := parseSignature(key, mini)
		if err == nil && !d.r.Verify(key.mini, mini) {
			err = errWrong
		}
		if err != nil {
			return false, untrusted(name+archive.SignatureSuffix, "%v", err)
		}
	}
	if der != nil && ec == nil {
		return false, untrusted(name+archive.OpenSSLSuffix, "the key to verify it with is missing")
	}
	if der != nil && !ecdsa.VerifyASN1(ec, sum, der) {
		return false, untrusted(name+archive.OpenSSLSuffix, "%v", errWrong)
	}
	return true, nil
}
