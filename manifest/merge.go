package manifest

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/imageref"
	"kubecrate/pkg/nevra"
)

// merge overrides parent with child, by the rules of Manifest. doc is the child's
// document, which tells a key with a zero value from a missing one.
func merge(parent, child *Manifest, doc *yaml.Node) (Manifest, *findings) {
	f := &findings{}
	m := parent.clone()
	m.Extends = ""
	over(&m.Name, child.Name)
	over(&m.Platform.Family, child.Platform.Family)
	over(&m.Platform.Arch, child.Platform.Arch)
	over(&m.Kubernetes, child.Kubernetes)
	over(&m.Runtime, child.Runtime)
	over(&m.Network, child.Network)
	packages := root.key("packages")
	over(&m.Packages.Baseline, child.Packages.Baseline)
	if _, present := locate(doc, packages.key("weak")); present {
		m.Packages.Weak = child.Packages.Weak
	}
	m.Packages.Roots = mergeList(f, packages.key("roots"), m.Packages.Roots, child.Packages.Roots, func(s string) string { return s }, rootName)
	for _, x := range child.Packages.Modules {
		name, _, _ := strings.Cut(x, ":")
		m.Packages.Modules = append(slices.DeleteFunc(m.Packages.Modules, func(o string) bool { return strings.HasPrefix(o, name+":") }), x)
	}
	for _, x := range child.Packages.Exclude {
		if !slices.Contains(m.Packages.Exclude, x) {
			m.Packages.Exclude = append(m.Packages.Exclude, x)
		}
	}
	for _, r := range child.Packages.Repos {
		m.Packages.Repos = mergeRepo(m.Packages.Repos, r)
	}
	for registry, prefixes := range child.Images.Mirrors {
		if m.Images.Mirrors == nil {
			m.Images.Mirrors = map[string][]string{}
		}
		m.Images.Mirrors[registry] = prefixes
	}
	m.Images.List = mergeList(f, root.key("images").key("list"), m.Images.List, child.Images.List,
		func(i Image) string { return i.Name }, imageKey)
	m.Files = mergeList(f, root.key("files"), m.Files, child.Files, func(x File) string { return x.Path }, func(s string) string { return s })
	return m, f
}

// rootName is the package that an entry of packages.roots names.
func rootName(spec string) string { return nevra.ParsePin(spec).Name() }

func over(value *string, with string) {
	if with != "" {
		*value = with
	}
}

func imageKey(name string) string {
	return imageref.Complete(imageref.Split(name).Repository)
}

// mergeList overrides the entries of parent with those of child: the first entry
// of a key replaces the inherited ones of that key, others are appended, and one
// that begins with a dash removes the inherited ones.
func mergeList[T any](f *findings, at path, parent, child []T, name func(T) string, key func(string) string) []T {
	merged := slices.Clone(parent)
	done := map[string]bool{}
	for i, entry := range child {
		remove := strings.HasPrefix(name(entry), "-")
		k := key(strings.TrimPrefix(name(entry), "-"))
		same := func(other T) bool { return key(name(other)) == k }
		place := slices.IndexFunc(parent, same)
		switch {
		case remove && place < 0:
			f.add(at.index(i), "cannot remove %q: no inherited entry has that name", name(entry))
		case remove:
			merged = slices.DeleteFunc(merged, same)
		case place < 0 || done[k]:
			merged = append(merged, entry)
		default:
			place = slices.IndexFunc(merged, same)
			if place < 0 { // removed by an earlier entry
				place = len(merged)
			}
			merged = slices.Insert(slices.DeleteFunc(merged, same), place, entry)
		}
		done[k] = true
	}
	return merged
}

// mergeRepo overrides the repository of r's id, key by key, or appends r.
func mergeRepo(repos []Repo, r Repo) []Repo {
	i := slices.IndexFunc(repos, func(x Repo) bool { return x.ID == r.ID })
	if i < 0 {
		return append(repos, r)
	}
	old := &repos[i]
	if len(r.BaseURL) > 0 {
		old.BaseURL = r.BaseURL
	}
	if len(r.GPGKey) > 0 {
		old.GPGKey = r.GPGKey
	}
	if len(r.Fingerprints) > 0 {
		old.Fingerprints = r.Fingerprints
	}
	if r.GPGCheck != nil {
		old.GPGCheck = r.GPGCheck
	}
	if r.Priority != 0 {
		old.Priority = r.Priority
	}
	return repos
}

// rebase rewrites m's relative paths from the directory from to the directory to.
func (m *Manifest) rebase(from, to string) {
	if filepath.Clean(from) == filepath.Clean(to) {
		return
	}
	move := func(s *string) {
		if isRelative(*s) {
			*s = moved(*s, from, to)
		}
	}
	for i := range m.Packages.Repos {
		for j := range m.Packages.Repos[i].BaseURL {
			move(&m.Packages.Repos[i].BaseURL[j])
		}
		for j := range m.Packages.Repos[i].GPGKey {
			move(&m.Packages.Repos[i].GPGKey[j])
		}
	}
	for i := range m.Files {
		for j := range m.Files[i].URL {
			move(&m.Files[i].URL[j])
		}
	}
	m.Packages.Baseline = mapBaseline(m.Packages.Baseline, func(s string) string {
		move(&s)
		return s
	})
}

// moved is the path, relative to the directory to, of the file s in the directory
// from: relative if both directories are, otherwise absolute.
func moved(s, from, to string) string {
	target := filepath.Join(from, filepath.FromSlash(s))
	if rel, err := filepath.Rel(to, target); err == nil {
		return filepath.ToSlash(rel)
	}
	if abs, err := filepath.Abs(target); err == nil {
		return filepath.ToSlash(abs)
	}
	return filepath.ToSlash(target)
}
