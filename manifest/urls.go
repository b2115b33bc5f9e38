package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// URLs are locations of the same content, tried in order. A single one is written
// without a list.
type URLs []string

// MarshalJSON returns a string or a list.
func (u URLs) MarshalJSON() ([]byte, error) {
	if len(u) == 1 {
		return json.Marshal(u[0])
	}
	return json.Marshal([]string(u))
}

// MarshalYAML returns a string or a list.
func (u URLs) MarshalYAML() (any, error) {
	if len(u) == 1 {
		return u[0], nil
	}
	return []string(u), nil
}

// Embedded is the file that one of u names as "embedded:NAME", nil if none does.
func (u URLs) Embedded() ([]byte, error) {
	for _, place := range u {
		if name, ok := strings.CutPrefix(place, embedded); ok {
			text, err := data.ReadFile("files/" + name)
			if err != nil {
				return nil, fmt.Errorf("no embedded file %q", name)
			}
			return text, nil
		}
	}
	return nil, nil
}

// Outside are those of u that are not embedded.
func (u URLs) Outside() []string {
	var list []string
	for _, place := range u {
		if !strings.HasPrefix(place, embedded) {
			list = append(list, place)
		}
	}
	return list
}

// Origin is the location that a lock records: the first one outside this program.
func (u URLs) Origin() string {
	if outside := u.Outside(); len(outside) > 0 {
		return outside[0]
	}
	return u[0]
}

func fileNames() []string { return names("files", "") }

// urls checks the locations of a file.
func (f *findings) urls(at path, x *File) {
	if len(x.URL) == 0 {
		f.need(at, "")
	}
	for i, place := range x.URL {
		at := at
		if len(x.URL) > 1 {
			at = at.index(i)
		}
		name, ok := strings.CutPrefix(place, embedded)
		if !ok {
			f.location(at, place)
			if v := usedVariable(place); v != "" {
				f.add(at, "%s is replaced only in the URLs of repositories: write its value", v)
			}
			continue
		}
		if _, err := fs.Stat(data, "files/"+name); err != nil {
			f.add(at, "no embedded file %q%s", name, guess(name, fileNames()))
		} else if len(x.URL) > 1 && x.SHA256 == "" {
			f.add(at, "%s has alternatives: want a sha256, so that all locations have the same content", place)
		}
	}
}
