package manifest

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
)

// DefaultProfile is the profile that is built by default.
const DefaultProfile = "kubernetes-1.17.4-el7"

//go:embed profiles/*.yaml baseline/*.txt keys/*.asc files/*
var data embed.FS

// Profile is an embedded manifest. Description is its first line.
type Profile struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Profiles lists the embedded profiles, the default one first, then by name.
func Profiles() []Profile {
	var list []Profile
	for _, name := range names("profiles", ".yaml") {
		p := Profile{Name: name}
		if text, err := ProfileText(name); err == nil {
			first, _, _ := strings.Cut(string(text), "\n")
			p.Description = strings.TrimSpace(strings.TrimPrefix(first, "#"))
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Profile) int {
		switch {
		case a.Name == DefaultProfile:
			return -1
		case b.Name == DefaultProfile:
			return 1
		}
		return 0
	})
	return list
}

// ProfileText is the YAML of an embedded profile.
func ProfileText(name string) ([]byte, error) {
	if !isProfile(name) {
		known := names("profiles", ".yaml")
		return nil, hint.With(fmt.Errorf("no profile %q%s", name, guess(name, known)), "bundle profiles")
	}
	return data.ReadFile("profiles/" + name + ".yaml")
}

func isProfile(name string) bool { return slices.Contains(names("profiles", ".yaml"), name) }

// Keys holds the embedded OpenPGP keys: gpgkey names one as "embedded:NAME".
func Keys() fs.FS {
	sub, err := fs.Sub(data, "keys")
	if err != nil { // the path is valid and a constant
		panic("manifest: " + err.Error())
	}
	return sub
}

func keyNames() []string { return names("keys", "") }

// names lists the files of an embedded directory without their suffix, sorted.
func names(dir, suffix string) []string {
	entries, err := data.ReadDir(dir)
	if err != nil { // embedded: a bug in the build
		panic("manifest: " + err.Error())
	}
	var list []string
	for _, e := range entries {
		list = append(list, strings.TrimSuffix(e.Name(), suffix))
	}
	return list
}
