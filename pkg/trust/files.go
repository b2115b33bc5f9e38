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

// CheckFiles checks the signatures for stock tools that lie beside the archive
// at base: those of minisign with the key that the index is signed by, those of
// openssl with the key that the index's signature names. files are what was
// computed of the archive and of the programs beside it. It returns the files that
// have a signature, by name; an archive needs none of them. A signature that is
// wrong gives an *UntrustedError.
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

// openSSLKey reads the ECDSA key beside the archive, nil where there is none.
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
		return nil, untrusted(name, "it is no public key in PEM")
	}
	_, want, _ := strings.Cut(t.comment, openSSLMark)
	if hexSHA256(block.Bytes) != want {
		return nil, untrusted(name, "it is not the key that the signature of index.json names")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, untrusted(name, "it is no public key: %v", err)
	}
	ec, ok := k.(*ecdsa.PublicKey)
	if !ok {
		return nil, untrusted(name, "it is no key of ECDSA")
	}
	return ec, nil
}

// checkFile checks the signatures of one file; signed is false where it has none.
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
		return false, fmt.Errorf("cannot check the signature of %s: %w", name, err)
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
		return false, untrusted(name+archive.OpenSSLSuffix, "the key to check it with is missing")
	}
	if der != nil && !ecdsa.VerifyASN1(ec, sum, der) {
		return false, untrusted(name+archive.OpenSSLSuffix, "%v", errWrong)
	}
	return true, nil
}
