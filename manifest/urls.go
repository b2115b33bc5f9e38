package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// URLs are places of one thing, tried in order. A single one is written without a
// list.
type URLs []string

// MarshalJSON writes a text or a list.
func (u URLs) MarshalJSON() ([]byte, error) {
	if len(u) == 1 {
		return json.Marshal(u[0])
	}
	return json.Marshal([]string(u))
}

// MarshalYAML gives a text or a list.
func (u URLs) MarshalYAML() (any, error) {
	if len(u) == 1 {
		return u[0], nil
	}
	return []string(u), nil
}

// Embedded is the file that one of u names as "embedded:NAME", nil where none does.
func (u URLs) Embedded() ([]byte, error) {
	for _, place := range u {
		if name, ok := strings.CutPrefix(place, embedded); ok {
			text, err := data.ReadFile("files/" + name)
			if err != nil {
				return nil, fmt.Errorf("no file %q is embedded", name)
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

// Origin is what a lock keeps of u: the first place that is not this program.
func (u URLs) Origin() string {
	if outside := u.Outside(); len(outside) > 0 {
		return outside[0]
	}
	return u[0]
}

func fileNames() []string { return names("files", "") }

// urls checks the places of a file.
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
				f.add(at, "%s is replaced in the URLs of repositories alone: write its value", v)
			}
			continue
		}
		if _, err := fs.Stat(data, "files/"+name); err != nil {
			f.add(at, "no file %q is embedded%s", name, guess(name, fileNames()))
		} else if len(x.URL) > 1 && x.SHA256 == "" {
			f.add(at, "%s stands beside other places, and no sha256 says that they have the same", place)
		}
	}
}
