// Package store is the content-addressed directory that all builds of a user
// share: what was fetched, what is on its way, and what was derived from it.
//
//	blobs/sha256/ab/abcd...   content under its own sha256
//	partial/                  downloads and writes that have not ended
//	entries/NS/KEY            derived data, such as compressed frames
//
// A byte reaches blobs and entries only by fsync and rename, a blob after its
// hash was checked as well. Any number of processes may use one directory.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	dirMode  = 0o750
	fileMode = 0o600
)

// bufferSize is how much is read or written at once, in bytes.
const bufferSize = 1 << 20

// Store is an open cache directory. All methods are safe for concurrent use.
type Store struct {
	dir string
}

// DefaultDir is $XDG_CACHE_HOME/kubecrate, or ~/.cache/kubecrate where the
// variable is unset or, as the XDG base directory specification asks, relative.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kubecrate"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("cannot find a directory for the cache: %w", err)
	}
	return filepath.Join(home, ".cache", "kubecrate"), nil
}

// Open makes dir ready to be used, and removes what killed processes left
// there and are unusable. See Explain for its errors.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the cache: %w", err)
	}
	s := &Store{dir: abs}
	for _, d := range []string{s.blobDir(), s.partialDir(), filepath.Join(abs, "entries")} {
		if err := os.MkdirAll(d, dirMode); err != nil {
			return nil, Explain(fmt.Errorf("cannot open the cache: %w", err), abs, 0)
		}
		if err := writable(d); err != nil {
			return nil, Explain(fmt.Errorf("cannot open the cache: %s: %w", d, err), abs, 0)
		}
	}
	if err := s.sweep(); err != nil {
		return nil, fmt.Errorf("cannot clean the cache: %w", err)
	}
	return s, nil
}

// Dir is the absolute path of the cache.
func (s *Store) Dir() string { return s.dir }

func (s *Store) blobDir() string    { return filepath.Join(s.dir, "blobs", "sha256") }
func (s *Store) partialDir() string { return filepath.Join(s.dir, "partial") }

// Path is where the blob of a sha256 digest stands, whether or not it is
// there; "" if digest is not a sha256 digest.
func (s *Store) Path(digest string) string {
	algorithm, value, err := parseDigest(digest)
	if err != nil || algorithm != sha256Name {
		return ""
	}
	return filepath.Join(s.blobDir(), value[:2], value)
}

// Stat gives the size in bytes of a blob. It looks at the size only: content is
// checked by Verify and OpenVerified.
func (s *Store) Stat(digest string) (size int64, ok bool) {
	path := s.Path(digest)
	if path == "" {
		return 0, false
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// Lookup finds the blob of a digest of any algorithm: sha256 by its name, the
// others if such a digest was committed before. See Verify for the content.
func (s *Store) Lookup(digest string) (sha256 string, size int64, ok bool) {
	algorithm, _, err := parseDigest(digest)
	if err != nil {
		return "", 0, false
	}
	sha256 = digest
	if algorithm != sha256Name {
		if sha256, err = s.alias(digest); err != nil {
			return "", 0, false
		}
	}
	size, ok = s.Stat(sha256)
	return sha256, size, ok
}

// Open opens the blob of a sha256 digest; fs.ErrNotExist where it is not there.
// The content is not checked while it is read, see OpenVerified.
func (s *Store) Open(digest string) (*os.File, error) {
	path := s.Path(digest)
	if path == "" {
		return nil, fmt.Errorf("cannot open %q in the cache: %w", digest, errNotSHA256)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the cache: %w", digest, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s in the cache: %w", digest, err)
	}
	return f, nil
}

// Put stores what r holds and returns its sha256 digest and its size in bytes.
// want is the digest it must have, of any algorithm, or "" for whatever it is;
// another one is a *DigestError, and nothing is stored. Where want is there
// already r is not read.
func (s *Store) Put(ctx context.Context, r io.Reader, want string) (digest string, size int64, err error) {
	if want != "" {
		if digest, size, ok := s.Lookup(want); ok {
			return digest, size, nil
		}
	}
	p, err := s.temporary(want)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, p.Discard()) }()
	buf := make([]byte, bufferFor(r))
	for {
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		n, rerr := r.Read(buf)
		if _, err := p.Write(buf[:n]); err != nil {
			return "", 0, err
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			return "", 0, rerr
		}
	}
	digest, err = p.Commit()
	return digest, p.Size(), err
}

// bufferFor is small where r says that it holds little.
func bufferFor(r io.Reader) int {
	if l, ok := r.(interface{ Len() int }); ok {
		return min(l.Len()+1, bufferSize)
	}
	return bufferSize
}

// Remove deletes a blob; a missing one is not an error.
func (s *Store) Remove(digest string) error {
	path := s.Path(digest)
	if path == "" {
		return fmt.Errorf("cannot remove %q from the cache: %w", digest, errNotSHA256)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s from the cache: %w", digest, err)
	}
	return nil
}

// alias reads which sha256 a digest of another algorithm belongs to.
func (s *Store) alias(digest string) (sha256 string, err error) {
	f, err := s.Entry(aliasSpace, digest)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const longest = 128
	text, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return "", err
	}
	sha256 = strings.TrimSpace(string(text))
	if s.Path(sha256) == "" {
		return "", fmt.Errorf("alias %s holds %q: %w", digest, sha256, errNotSHA256)
	}
	return sha256, nil
}

func (s *Store) setAlias(digest, sha256 string) error {
	w, err := s.CreateEntry(aliasSpace, digest)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, sha256+"\n"); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Commit()
}

// aliasSpace is the namespace of the entries that map other digests to sha256.
const aliasSpace = "alias"
