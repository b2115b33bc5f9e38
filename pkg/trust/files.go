package trust

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
)

// CheckFiles checks the signatures for stock tools that lie beside the archive
// at path, and programs, which are files beside it: those of minisign with the
// key that the index is signed by, those of openssl with the key that the index's
// signature names. It returns the files that have one, by name; an archive needs
// none of them. A signature that is wrong gives an *UntrustedError.
func (t *Trusted) CheckFiles(ctx context.Context, path string, programs []string, report progress.Func) (names []string, err error) {
	base, files, err := archive.Files(path)
	if err != nil || t.Key == "" {
		return nil, err
	}
	key, err := ParsePublicKey(t.Key)
	if err != nil {
		return nil, err
	}
	ec, err := t.openSSLKey(base + archive.OpenSSLKeySuffix)
	if err != nil {
		return nil, err
	}
	for _, file := range append(files[:len(files):len(files)], programs...) {
		signed, err := checkFile(ctx, key, ec, file, report)
		if err != nil {
			return nil, hint.With(err, "bundle sign %s --key NAME.key makes the signatures anew", filepath.Base(base))
		}
		if signed {
			names = append(names, filepath.Base(file))
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
func checkFile(ctx context.Context, key PublicKey, ec *ecdsa.PublicKey, path string, report progress.Func) (signed bool, err error) {
	mini, err := optional(path + archive.SignatureSuffix)
	if err != nil {
		return false, untrusted(filepath.Base(path)+archive.SignatureSuffix, "%v", err)
	}
	der, err := optional(path + archive.OpenSSLSuffix)
	if err != nil {
		return false, untrusted(filepath.Base(path)+archive.OpenSSLSuffix, "%v", err)
	}
	if mini == nil && der == nil {
		return false, nil
	}
	d, err := digest(ctx, path, "verify", report)
	if err != nil {
		return false, fmt.Errorf("cannot check the signature of %s: %w", path, err)
	}
	if mini != nil {
		_, err := parseSignature(key, mini)
		if err == nil && !d.mini.Verify(key.mini, mini) {
			err = errWrong
		}
		if err != nil {
			return false, untrusted(filepath.Base(path)+archive.SignatureSuffix, "%v", err)
		}
	}
	if der != nil && ec == nil {
		return false, untrusted(filepath.Base(path)+archive.OpenSSLSuffix, "the key to check it with is missing")
	}
	if der != nil && !ecdsa.VerifyASN1(ec, d.sha.Sum(nil), der) {
		return false, untrusted(filepath.Base(path)+archive.OpenSSLSuffix, "%v", errWrong)
	}
	return true, nil
}

// Programs lists the installers beside the archive at path, for arch.
func Programs(path, arch string) []string {
	var list []string
	dir := media.At(filepath.Dir(path))
	for _, name := range []string{"install-linux-" + arch, "install"} {
		if _, err := dir.Stat(name); err == nil {
			list = append(list, dir.Join(name))
		}
	}
	return list
}
