package store

import (
	"context"
	"crypto/sha1" //nolint:gosec // old repositories know nothing better; a blob is kept by its sha256
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
)

const sha256Name = "sha256"

var errNotSHA256 = errors.New("not a sha256 digest (sha256: and 64 lower-case hex digits)")

// ErrDamaged marks a blob of the cache whose content is no longer that of its
// digest. It was removed when this was found out, so that it is fetched again.
var ErrDamaged = errors.New("damaged in the cache and was removed from it")

// DigestError is content that has another digest than the one asked for.
type DigestError struct {
	Got, Want string // with their algorithm: "sha256:HEX"
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("digest is %s, want %s", e.Got, e.Want)
}

// newHash makes the hash of an algorithm, nil for one that is not known: sha256
// and sha512 as OCI and createrepo_c write them, and sha1 of EL6's repositories.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case sha256Name:
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "sha384":
		return sha512.New384()
	case "sha224":
		return sha256.New224()
	case "sha1":
		return sha1.New() //nolint:gosec // see the import
	}
	return nil
}

// parseDigest splits "sha256:HEX" and checks both parts.
func parseDigest(digest string) (algorithm, value string, err error) {
	algorithm, value, _ = strings.Cut(digest, ":")
	h := newHash(algorithm)
	if h == nil {
		return "", "", fmt.Errorf("digest %q: algorithm is not sha1, sha224, sha256, sha384 or sha512", digest)
	}
	if len(value) != 2*h.Size() || strings.Trim(value, "0123456789abcdef") != "" {
		return "", "", fmt.Errorf("digest %q: want %d lower-case hex digits", digest, 2*h.Size())
	}
	return algorithm, value, nil
}

// CheckDigest says what is wrong with a digest: an unknown algorithm, a wrong
// length, something else than lower-case hex.
func CheckDigest(digest string) error {
	_, _, err := parseDigest(digest)
	return err
}

// hasher computes the sha256 of what is written, and beside it the digest that
// is asked for where that is of another algorithm.
type hasher struct {
	want  string
	sha   hash.Hash
	other hash.Hash // nil where want is "" or sha256
}

func newHasher(want string) (*hasher, error) {
	h := &hasher{want: want, sha: sha256.New()}
	if want == "" {
		return h, nil
	}
	algorithm, _, err := parseDigest(want)
	if err != nil {
		return nil, err
	}
	if algorithm != sha256Name {
		h.other = newHash(algorithm)
	}
	return h, nil
}

func (h *hasher) Write(b []byte) (int, error) {
	h.sha.Write(b)
	if h.other != nil {
		h.other.Write(b)
	}
	return len(b), nil
}

func (h *hasher) reset() {
	h.sha.Reset()
	if h.other != nil {
		h.other.Reset()
	}
}

// sum is the sha256 digest of all that was written.
func (h *hasher) sum() string { return sha256Name + ":" + hex.EncodeToString(h.sha.Sum(nil)) }

// check compares with want; a difference is a *DigestError.
func (h *hasher) check() error {
	got := h.sum()
	if h.other != nil {
		algorithm, _, _ := strings.Cut(h.want, ":")
		got = algorithm + ":" + hex.EncodeToString(h.other.Sum(nil))
	}
	if h.want != "" && got != h.want {
		return &DigestError{Got: got, Want: h.want}
	}
	return nil
}

// OpenVerified opens a blob and hashes it while it is read: io.EOF says that
// every byte was right. A blob that is not (one byte changed, cut short by a
// crash of the machine) is removed and gives ErrDamaged in place of io.EOF.
// digest may be of any algorithm, see Lookup; fs.ErrNotExist.
func (s *Store) OpenVerified(digest string) (io.ReadCloser, error) {
	h, err := newHasher(digest)
	if err != nil {
		return nil, err
	}
	sum, _, ok := s.Lookup(digest)
	if !ok {
		return nil, fmt.Errorf("%s is not in the cache: %w", digest, fs.ErrNotExist)
	}
	f, err := s.Open(sum)
	if err != nil {
		return nil, err
	}
	return &verifiedReader{File: f, h: h, s: s, sum: sum}, nil
}

// verifiedReader embeds the file for Close; ReadAt and Seek of it are hidden
// from callers by the type OpenVerified returns.
type verifiedReader struct {
	*os.File
	h   *hasher
	s   *Store
	sum string
	end error // what the end of the file was found to be
}

func (v *verifiedReader) Read(b []byte) (int, error) {
	if v.end != nil {
		return 0, v.end
	}
	n, err := v.File.Read(b)
	if n > 0 {
		_, _ = v.h.Write(b[:n]) // a hash never fails
	}
	if errors.Is(err, io.EOF) {
		v.end = v.finish()
		err = v.end
	}
	return n, err
}

// WriteTo reads to the end with a large buffer, for io.Copy.
func (v *verifiedReader) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{v}, make([]byte, bufferSize))
}

func (v *verifiedReader) finish() error {
	if got := v.h.sum(); got != v.sum {
		err := &DigestError{Got: got, Want: v.sum}
		return errors.Join(fmt.Errorf("%s is %w: %w", v.h.want, ErrDamaged, err), v.s.Remove(v.sum))
	}
	// The blob is right, but not the entry that led here.
	if err := v.h.check(); err != nil {
		return errors.Join(fmt.Errorf("%s is %w: %w", v.h.want, ErrDamaged, err), v.s.RemoveEntry(aliasSpace, v.h.want))
	}
	return io.EOF
}

// Verify reads a blob and compares it with its digest, of any algorithm. A
// damaged one is removed and gives ErrDamaged; fs.ErrNotExist.
func (s *Store) Verify(ctx context.Context, digest string) (err error) {
	r, err := s.OpenVerified(digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf := make([]byte, bufferSize)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.Read(buf); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
