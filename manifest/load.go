package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/hint"
)

// maxDepth limits the chain of manifests that extend each other.
const maxDepth = 8

// Load reads a manifest by its path, or an embedded profile by its name, with all
// manifests that it extends, and resolves it. A plain word names a profile if there
// is one of that name. The error is an *InvalidError if a manifest is invalid.
func Load(ref string) (*Manifest, error) {
	l := &loader{}
	m, dir, err := l.load(ref, "")
	if err != nil {
		return nil, err
	}
	if err := invalid(l.files[0], validate(m, Words{}).problems(nil)); err != nil {
		return nil, err
	}
	m.origin = &origin{dir: dir, raw: *m}
	m.resolve()
	return m, nil
}

type loader struct {
	files []string // in the order of opening: the manifest, the one it extends, ...
}

// load reads ref, relative to the directory from, and merges it with the manifest
// it extends. dir is the base of its relative paths, "" for a profile.
func (l *loader) load(ref, from string) (m *Manifest, dir string, err error) {
	name, data, err := open(ref, from)
	if err != nil {
		return nil, "", err
	}
	if slices.Contains(l.files, name) {
		return nil, "", fmt.Errorf("%s extends itself: %s", name, strings.Join(append(l.files, name), " -> "))
	}
	l.files = append(l.files, name)
	if len(l.files) > maxDepth {
		return nil, "", fmt.Errorf("%s: a chain of more than %d manifests that extend each other", l.files[0], maxDepth)
	}
	if !isProfile(name) {
		dir = filepath.Dir(name)
	}
	m, doc, err := parse(name, data)
	if err != nil {
		return nil, "", err
	}
	f := validate(m, Words{})
	if err := invalid(name, f.problems(doc)); err != nil {
		return nil, "", err
	}
	if m.Extends == "" {
		return m, dir, nil
	}
	parent, parentDir, err := l.load(m.Extends, dir)
	if err != nil {
		return nil, "", fmt.Errorf("%s extends %s: %w", name, credential.Redact(m.Extends), err)
	}
	if parentDir != "" {
		parent.rebase(parentDir, dir)
	}
	merged, f := merge(parent, m, doc)
	return &merged, dir, invalid(name, f.problems(doc))
}

// open reads the profile ref, or the file ref relative to from.
func open(ref, from string) (name string, data []byte, err error) {
	if strings.Contains(ref, "://") {
		return "", nil, hint.With(errors.New("cannot read the manifest: want a file or a profile, not a URL"), "download it, and name the file")
	}
	if isProfile(ref) {
		data, err = ProfileText(ref)
		return ref, data, err
	}
	name = ref
	if !filepath.IsAbs(ref) {
		name = filepath.Join(from, ref)
	}
	data, err = readFile(name, MaxSize)
	if errors.Is(err, fs.ErrNotExist) && !looksLikePath(ref) {
		return "", nil, noProfile(ref)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	return name, data, nil
}

func noProfile(name string) error {
	var known []string
	for _, p := range Profiles() {
		known = append(known, p.Name)
	}
	return hint.With(fmt.Errorf("no profile %q and no file of that name%s", name, guess(name, known)), "bundle profiles")
}

// looksLikePath reports whether ref can only be a file.
func looksLikePath(ref string) bool {
	return strings.ContainsAny(ref, `/\`) || strings.HasSuffix(ref, ".yaml") || strings.HasSuffix(ref, ".yml")
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return data, err
}
