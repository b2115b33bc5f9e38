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

// maxDepth is how many manifests may extend each other in a row.
const maxDepth = 8

// Load reads a manifest by its path, or an embedded profile by its name, with
// all that it extends, and resolves it. A plain word is a profile where there is
// one of that name. The error is an *InvalidError where a manifest is wrong.
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
	files []string // as they were opened: the manifest, what it extends, ...
}

// load reads ref, relative to the directory from, and merges it with what it
// extends. dir is where its relative paths start, "" for a profile.
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
		return nil, "", fmt.Errorf("%s: more than %d manifests extend each other", l.files[0], maxDepth)
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

// open finds what ref names: a profile, or a file relative to from.
func open(ref, from string) (name string, data []byte, err error) {
	if strings.Contains(ref, "://") {
		return "", nil, hint.With(errors.New("cannot read the manifest: a URL was given, and only files and profiles are read"), "fetch it to a file, and name that file")
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

// looksLikePath says whether ref can only be a file.
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
