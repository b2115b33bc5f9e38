package archive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/manifest"
)

// Limits of an index, so that a small crafted archive cannot ask for much
// memory: the text, the members, and the commas in the text, since every
// element of a JSON array but the first needs one.
const (
	maxIndex   = 8 << 20
	maxMembers = 16384
	maxCommas  = 12 * maxMembers
	maxPath    = 1024
	maxPart    = 255 // a name between slashes
	maxWord    = 64  // a kind, a role
	maxRoles   = 16
	maxName    = 256
	maxSize    = 1 << 42 // of a member
)

// encodeIndex sets the offsets of idx and returns its text, padded with spaces to
// whole tar blocks. Offsets count from the start of the stream, so they depend on
// the length of the text, which grows until it fits.
func encodeIndex(idx *Index) ([]byte, error) {
	for size := int64(blockSize); size <= maxIndex; size += blockSize {
		place(idx, size)
		text, err := marshalIndex(idx)
		if err != nil {
			return nil, err
		}
		if n := int64(len(text)); n > size {
			size = roundUp(n) - blockSize
			continue
		}
		pad := bytes.Repeat([]byte{' '}, int(size)-len(text))
		text = append(text[:len(text)-1], pad...)
		return append(text, '\n'), nil
	}
	return nil, fmt.Errorf("cannot list %d members: the index would exceed %d MiB", len(idx.Members), maxIndex>>20)
}

// place sets the offsets of all members after an index of size bytes.
func place(idx *Index, size int64) {
	at := headerSize(indexArtifact(size)) + roundUp(size)
	for i := range idx.Members {
		m := &idx.Members[i]
		m.Offset = at + headerSize(m.Artifact)
		at = m.end()
	}
}

// indexArtifact is index.json itself as a member.
func indexArtifact(size int64) manifest.Artifact {
	return manifest.Artifact{Path: IndexName, Size: size, Kind: manifest.KindMeta}
}

// marshalIndex writes one member per line, so that people can read and compare
// indexes, and ends in a newline.
func marshalIndex(idx *Index) ([]byte, error) {
	head := *idx
	head.Members = nil
	text, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("cannot write the index: %w", err)
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(text, []byte("null}")))
	b.WriteByte('[')
	for i, m := range idx.Members {
		line, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("cannot write the index: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

// decodeIndex parses an index and checks everything that does not need the rest of
// the archive. Every error but ErrVersion is a *DamageError.
func decodeIndex(text []byte) (*Index, error) {
	if len(text) > maxIndex || bytes.Count(text, []byte{','}) > maxCommas {
		return nil, damage("index.json is too large")
	}
	var idx Index
	if err := json.Unmarshal(text, &idx); err != nil {
		// Another version may have other keys: that is not damage.
		var other struct {
			Version int `json:"version"`
		}
		if json.Unmarshal(text, &other) != nil || other.Version == Version || other.Version == 0 {
			return nil, damage("index.json is not a valid index: %v", err)
		}
		idx.Version = other.Version
	}
	if idx.Version != Version {
		return nil, fmt.Errorf("cannot read index.json of version %d: %w", idx.Version, ErrVersion)
	}
	if idx.Members == nil {
		idx.Members = []Member{}
	}
	if err := checkIndex(&idx, int64(len(text))); err != nil {
		return nil, damage("index.json: %v", err)
	}
	return &idx, nil
}

// checkIndex checks an index whose text has size bytes: names, sizes and
// hashes well-formed, no duplicate paths, no path below another file, and every
// member exactly where the one before it ends.
func checkIndex(idx *Index, size int64) error {
	if idx.Base != "" {
		return errors.New("it extends another archive, which this version of kubecrate does not support")
	}
	if err := checkText(idx); err != nil {
		return err
	}
	paths := make([]string, 0, len(idx.Members)+1)
	at := headerSize(indexArtifact(size)) + roundUp(size)
	for _, m := range idx.Members {
		if err := checkArtifact(m.Artifact); err != nil {
			return err
		}
		if want := at + headerSize(m.Artifact); m.Offset != want {
			return fmt.Errorf("%q has offset %d, want %d", m.Path, m.Offset, want)
		}
		at = m.end()
		paths = append(paths, m.Path)
	}
	return checkPaths(append(paths, IndexName))
}

func checkText(idx *Index) error {
	if len(idx.Members) > maxMembers {
		return fmt.Errorf("it lists %d members, at most %d are allowed", len(idx.Members), maxMembers)
	}
	for _, s := range []string{idx.Name, idx.Platform.Family, idx.Platform.Arch, idx.Level} {
		if len(s) > maxName || strings.ContainsFunc(s, control) {
			return fmt.Errorf("%.40q is not a name", s)
		}
	}
	return nil
}

// checkArtifact checks the fields of a member.
func checkArtifact(a manifest.Artifact) error {
	if !fs.ValidPath(a.Path) || a.Path == "." || len(a.Path) > maxPath || strings.ContainsFunc(a.Path, control) || strings.Contains(a.Path, `\`) {
		return fmt.Errorf("%.80q is not a valid member path", a.Path)
	}
	for part := range strings.SplitSeq(a.Path, "/") {
		if len(part) > maxPart {
			return fmt.Errorf("%.80q has a path element of over %d bytes", a.Path, maxPart)
		}
	}
	if a.Size < 0 || a.Size > maxSize {
		return fmt.Errorf("%q has an invalid size of %d bytes", a.Path, a.Size)
	}
	if sum, err := hex.DecodeString(a.SHA256); err != nil || len(sum) != 32 || strings.ToLower(a.SHA256) != a.SHA256 {
		return fmt.Errorf("%q has no SHA-256 of 64 lower-case hex digits", a.Path)
	}
	if a.Kind == "" || len(a.Kind) > maxWord || len(a.Roles) > maxRoles {
		return fmt.Errorf("%q has an invalid kind or too many roles", a.Path)
	}
	for _, r := range a.Roles {
		if r == "" || len(r) > maxWord {
			return fmt.Errorf("%q has an unknown role", a.Path)
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// checkPaths rejects duplicate paths, and a path that is a directory of another.
func checkPaths(paths []string) error {
	seen := make(map[string]bool, len(paths))
	for _, p := range paths {
		if seen[p] {
			return fmt.Errorf("duplicate path %q", p)
		}
		seen[p] = true
	}
	for _, p := range paths {
		for i := range len(p) {
			if p[i] == '/' && seen[p[:i]] {
				return fmt.Errorf("%q is a file, but %q is below it", p[:i], p)
			}
		}
	}
	return nil
}

// checkSpelling checks that the text of an index has only the keys of this format,
// each once and spelled exactly: json.Unmarshal ignores case, takes the last
// duplicate and skips unknown keys, so another reader could see another index.
func checkSpelling(text []byte) error {
	top := []string{"version", "name", "platform", "level", "base", "members"}
	known := map[string][]string{
		"platform": {"family", "arch"},
		"members":  {"path", "size", "sha256", "kind", "roles", "offset"},
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var object func(known []string, in map[string][]string) error
	var value func(key string, in map[string][]string) error
	value = func(key string, in map[string][]string) error {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			return object(in[key], nil)
		case json.Delim('['):
			for d.More() {
				if err := value(key, in); err != nil {
					return err
				}
			}
			_, err = d.Token()
		}
		return err
	}
	object = func(known []string, in map[string][]string) error {
		seen := make(map[string]bool, len(known))
		for d.More() {
			t, err := d.Token()
			if err != nil {
				return err
			}
			key, _ := t.(string)
			if !slices.Contains(known, key) || seen[key] {
				return fmt.Errorf("index.json has an unknown or duplicate key %.40q", key)
			}
			seen[key] = true
			if err := value(key, in); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.New("index.json is not an object"))
	}
	return object(top, known)
}
