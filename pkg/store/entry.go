package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxEntryName is the longest namespace or key, in bytes.
const maxEntryName = 200

// entryPath refuses names that could leave the directory.
func (s *Store) entryPath(ns, key string) (string, error) {
	for _, name := range []string{ns, key} {
		if name == "" || len(name) > maxEntryName || name[0] == '.' || strings.IndexFunc(name, notInName) >= 0 {
			return "", fmt.Errorf("cannot name a cache entry %q: want letters, digits and ._:+-, not starting with a dot", name)
		}
	}
	return filepath.Join(s.dir, "entries", ns, key), nil
}

func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("._:+-", r)
}

// Entry opens derived data; fs.ErrNotExist if it is missing. It is complete,
// but its content carries no hash: its creator knows how to check it.
func (s *Store) Entry(ns, key string) (*os.File, error) {
	path, err := s.entryPath(ns, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s/%s in the cache: %w", ns, key, err)
	}
	return f, nil
}

// RemoveEntry deletes derived data; missing data is not an error.
func (s *Store) RemoveEntry(ns, key string) error {
	path, err := s.entryPath(ns, key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s/%s from the cache: %w", ns, key, err)
	}
	return nil
}

// EntryWriter writes derived data. Its name appears with Commit, not before.
type EntryWriter struct {
	s       *Store
	ns, key string
	file    *tempFile
	done    bool
}

// CreateEntry begins to write derived data; it must end with Commit or Abort.
func (s *Store) CreateEntry(ns, key string) (*EntryWriter, error) {
	if _, err := s.entryPath(ns, key); err != nil {
		return nil, err
	}
	file, err := s.createTemp()
	if err != nil {
		return nil, err
	}
	return &EntryWriter{s: s, ns: ns, key: key, file: file}, nil
}

// Write appends b. See Explain for its errors.
func (w *EntryWriter) Write(b []byte) (int, error) { return w.file.Write(b) }

// Commit flushes what was written to the disk and gives it its name, replacing
// what had it before. On an error nothing of it stays.
func (w *EntryWriter) Commit() error {
	if w.done {
		return fmt.Errorf("cannot commit %s/%s: it is already closed", w.ns, w.key)
	}
	w.done = true
	path, err := w.s.entryPath(w.ns, w.key)
	if err == nil {
		err = w.file.moveTo(path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep %s/%s in the cache: %w", w.ns, w.key, err), w.file.remove())
	}
	return w.file.Close()
}

// Abort drops what was written. After Commit or Abort it does nothing.
func (w *EntryWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	return w.file.remove()
}
