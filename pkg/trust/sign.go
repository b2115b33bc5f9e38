package trust

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"

	"aead.dev/minisign"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/atomicfile"
)

// Signed says with which key an archive was signed, and which files were written.
type Signed struct {
	Key         string   `json:"key"` // as minisign writes it
	Fingerprint string   `json:"fingerprint"`
	Files       []string `json:"files"`
}

// File is a file to sign or verify: its path, its SHA-256 in hex, and the Digest of
// its content.
type File struct {
	Path   string
	SHA256 string
	Digest io.Writer
}

// Sign signs index, the index.json of the archive at base, and files for stock tools,
// see docs/FORMAT.md, from their digests: it reads nothing. Signatures are
// deterministic. Sign does not check the archive: verify first one that was not just
// built.
func (k *SecretKey) Sign(base string, index []byte, files []File) (*Signed, error) {
	der, openSSL, err := k.openSSLKey()
	if err != nil {
		return nil, err
	}
	w := &writer{}
	for _, f := range files {
		if err := k.signFile(w, f); err != nil {
			return nil, fmt.Errorf("cannot sign %s: %w", f.Path, err)
		}
	}
	w.write(base+archive.PublicKeySuffix, k.Public().file())
	w.write(base+archive.OpenSSLKeySuffix, openSSL)
	// Last: a host takes the archive for signed only when all other files exist.
	w.write(base+archive.IndexSignatureSuffix, k.signIndex(index, filepath.Base(base), der))
	if w.err != nil {
		return nil, fmt.Errorf("cannot write the signatures: %w", w.err)
	}
	key := k.Public()
	return &Signed{Key: key.String(), Fingerprint: key.Fingerprint(), Files: w.names}, nil
}

// openSSLMark precedes the hash of the ECDSA key in the trusted comment.
const openSSLMark = "openssl-key-sha256:"

func (k *SecretKey) signIndex(index []byte, name string, der []byte) []byte {
	r := minisign.NewReader(bytes.NewReader(index))
	_, _ = io.Copy(io.Discard, r) // neither side fails
	return r.SignWithComments(k.mini, "index.json of "+name+" "+openSSLMark+hexSHA256(der), k.untrustedComment())
}

// untrustedComment returns minisign's comment with the key ID.
func (k *SecretKey) untrustedComment() string {
	return fmt.Sprintf("signature from kubecrate with the key %016X", k.mini.ID())
}

// signFile writes both signatures of a file next to it.
func (k *SecretKey) signFile(w *writer, f File) error {
	d, sum, err := f.digests()
	if err != nil {
		return err
	}
	// Without randomness: RFC 6979, so that the same file gives the same signature.
	der, err := k.ec.Sign(nil, sum, crypto.SHA256)
	if err != nil {
		return err
	}
	w.write(f.Path+archive.SignatureSuffix, d.r.SignWithComments(k.mini, "file:"+filepath.Base(f.Path), k.untrustedComment()))
	w.write(f.Path+archive.OpenSSLSuffix, der)
	return w.err
}

// digests returns the digests that the two kinds of signatures sign.
func (f File) digests() (*Digest, []byte, error) {
	d, ok := f.Digest.(*Digest)
	sum, err := hex.DecodeString(f.SHA256)
	if !ok || err != nil || len(sum) != sha256.Size {
		return nil, nil, fmt.Errorf("%s was not hashed", filepath.Base(f.Path))
	}
	return d, sum, nil
}

// Digest computes the digest that minisign signs.
type Digest struct {
	src *bytes.Reader
	r   *minisign.Reader
	buf []byte
}

// NewDigest returns a Digest, for archive.CreateOptions.Tap and Source.Digest.
func NewDigest() io.Writer {
	src := bytes.NewReader(nil)
	return &Digest{src: src, r: minisign.NewReader(src), buf: make([]byte, 64<<10)}
}

// Write never fails.
func (d *Digest) Write(b []byte) (int, error) {
	d.src.Reset(b)
	for d.src.Len() > 0 {
		if _, err := d.r.Read(d.buf); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// writer writes small files until one fails.
type writer struct {
	names []string
	err   error
}

// write writes content to path.
func (w *writer) write(path string, content []byte) {
	const mode = 0o644
	if w.err != nil {
		return
	}
	if w.err = atomicfile.WriteFile(path, content, mode); w.err == nil {
		w.names = append(w.names, path)
	}
}
