package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// clone is a deep copy of m.
func (m *Manifest) clone() Manifest {
	c := *m
	c.origin = nil
	c.Packages.Roots = slices.Clone(m.Packages.Roots)
	c.Packages.Exclude = slices.Clone(m.Packages.Exclude)
	c.Packages.Modules = slices.Clone(m.Packages.Modules)
	c.Packages.Repos = slices.Clone(m.Packages.Repos)
	for i := range c.Packages.Repos {
		r := &c.Packages.Repos[i]
		r.BaseURL, r.GPGKey, r.Fingerprints = slices.Clone(r.BaseURL), slices.Clone(r.GPGKey), slices.Clone(r.Fingerprints)
		if r.GPGCheck != nil {
			check := *r.GPGCheck
			r.GPGCheck = &check
		}
	}
	c.Images.List = slices.Clone(m.Images.List)
	for i := range c.Images.List {
		c.Images.List[i].Roles = slices.Clone(c.Images.List[i].Roles)
	}
	c.Images.Mirrors = maps.Clone(m.Images.Mirrors)
	for registry, prefixes := range c.Images.Mirrors {
		c.Images.Mirrors[registry] = slices.Clone(prefixes)
	}
	c.Files = slices.Clone(m.Files)
	for i := range c.Files {
		c.Files[i].URL, c.Files[i].Roles = slices.Clone(c.Files[i].URL), slices.Clone(c.Files[i].Roles)
	}
	return c
}

// resolved returns m for its platform and network.
func (m *Manifest) resolved() Manifest {
	c := m.clone()
	c.Extends = ""
	for i := range c.Packages.Repos {
		r := &c.Packages.Repos[i]
		for j, u := range r.BaseURL {
			r.BaseURL[j] = c.Platform.Expand(u)
		}
		for j, u := range r.GPGKey {
			r.GPGKey[j] = c.Platform.Expand(u)
		}
		for j, p := range r.Fingerprints {
			r.Fingerprints[j] = strings.ToUpper(p)
		}
	}
	c.Files = slices.DeleteFunc(c.Files, func(f File) bool { return f.Network != "" && f.Network != c.Network })
	for i := range c.Files {
		c.Files[i].SHA256 = strings.ToLower(c.Files[i].SHA256)
		slices.Sort(c.Files[i].Roles)
	}
	for i := range c.Images.List {
		slices.Sort(c.Images.List[i].Roles)
	}
	return c
}

// resolve resolves m's origin into m, with the sources that override it.
func (m *Manifest) resolve() {
	o := m.origin
	c := o.raw.resolved()
	for id, urls := range o.repos {
		for i := range c.Packages.Repos {
			if r := &c.Packages.Repos[i]; r.ID == id {
				r.BaseURL = nil
				for _, u := range urls {
					r.BaseURL = append(r.BaseURL, c.Platform.Expand(u))
				}
			}
		}
	}
	for registry, prefixes := range o.mirrors {
		if c.Images.Mirrors == nil {
			c.Images.Mirrors = map[string][]string{}
		}
		c.Images.Mirrors[registry] = slices.Clone(prefixes)
	}
	if len(o.hosts) > 0 {
		c.Packages.Baseline = strings.Join(o.hosts, ",")
	}
	*m = c
	m.origin = o
}

// canonical is the part of m that determines a bundle's bytes: m without the mirrors
// and URLs given on the command line, which only change where to download from.
func (m *Manifest) canonical() Manifest {
	c := m.resolved()
	if o := m.origin; o != nil {
		own := o.raw.resolved()
		for registry := range o.mirrors {
			delete(c.Images.Mirrors, registry)
			if prefixes, ok := own.Images.Mirrors[registry]; ok {
				c.Images.Mirrors[registry] = prefixes
			}
		}
		for i := range c.Packages.Repos {
			r := &c.Packages.Repos[i]
			j := slices.IndexFunc(own.Packages.Repos, func(x Repo) bool { return x.ID == r.ID })
			if _, ok := o.repos[r.ID]; ok && j >= 0 {
				r.BaseURL = own.Packages.Repos[j].BaseURL
			}
		}
	}
	if m.origin != nil && len(m.origin.hosts) > 0 {
		// The paths on this machine do not matter.
		parts := baselineParts(mapBaseline(c.Packages.Baseline, filepath.Base))
		slices.Sort(parts)
		c.Packages.Baseline = strings.Join(parts, ",")
	}
	if len(c.Images.Mirrors) == 0 {
		c.Images.Mirrors = nil
	}
	if c.Packages.Baseline == "" {
		c.Packages.Baseline = NoBaseline
	}
	c.Packages.Roots = orEmpty(c.Packages.Roots)
	c.Packages.Repos = orEmpty(c.Packages.Repos)
	c.Images.List = orEmpty(c.Images.List)
	return c
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Digest is the sha256, in 64 lower-case hex digits, of m in canonical form:
// extends, variables and networks resolved, without the changes of --mirror and
// --repo. A lock records it to detect a changed manifest.
func (m *Manifest) Digest() string {
	c := m.canonical()
	text, err := json.Marshal(c)
	if err != nil { // strings, numbers and bools only: a bug in this package
		panic("manifest: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Marshal returns m in canonical form, as YAML that Parse reads into a manifest of
// the same Digest.
func (m *Manifest) Marshal() ([]byte, error) {
	c := m.canonical()
	return marshal("# A kubecrate manifest, extends resolved.\n", &c)
}

func marshal(header string, v any) ([]byte, error) {
	const indent = 2
	var b bytes.Buffer
	b.WriteString(header)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(indent)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("cannot write YAML: %w", err)
	}
	return b.Bytes(), nil
}
