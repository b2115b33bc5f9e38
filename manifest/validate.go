package manifest

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/imageref"
)

// embedded begins an entry of gpgkey that names a key of Keys.
const embedded = "embedded:"

// The values of kind.
const (
	KindBundle = "Bundle"
	KindLock   = "Lock"
)

// Validate checks a complete manifest, as Load returns it. The error is an
// *InvalidError.
func (m *Manifest) Validate() error {
	name := m.Name
	if name == "" {
		name = "manifest"
	}
	return invalid(name, validate(m, Words{}).problems(nil))
}

// validate checks m. A manifest that extends another may omit what it inherits, and
// remove entries.
func validate(m *Manifest, w Words) *findings {
	f := &findings{words: w}
	f.header(m.APIVersion, m.Kind, KindBundle)
	if m.Extends == "" {
		f.whole(m)
	}
	if m.Name != "" && (!nameForm.MatchString(m.Name) || strings.HasSuffix(m.Name, ".")) {
		f.add(root.key("name"), "%q is not a valid file name: want up to 100 letters, digits, dots, dashes and underscores", m.Name)
	}
	f.platform(m.Platform)
	if m.Kubernetes != "" && !versionForm.MatchString(m.Kubernetes) {
		f.add(root.key("kubernetes"), "%q is not a version: want vMAJOR.MINOR.PATCH, such as v1.17.4", m.Kubernetes)
	}
	f.word(root.key("runtime"), m.Runtime, f.words.runtimes())
	f.word(root.key("network"), m.Network, f.words.networks())
	f.packages(&m.Packages, m.Extends != "")
	f.images(&m.Images, m.Extends != "")
	f.files(m.Files)
	return f
}

func (f *findings) header(version, kind, want string) {
	if at := root.key("apiVersion"); f.need(at, version) && version != APIVersion {
		f.add(at, "unknown version %q: this program reads %s", version, APIVersion)
	}
	if at := root.key("kind"); f.need(at, kind) && kind != want {
		f.add(at, "wrong kind %q: want %s", kind, want)
	}
}

// whole reports missing keys of a manifest that extends no other.
func (f *findings) whole(m *Manifest) {
	f.need(root.key("name"), m.Name)
	if at := root.key("platform"); m.Platform == (Platform{}) {
		f.need(at, "")
	} else {
		f.need(at.key("family"), m.Platform.Family)
		f.need(at.key("arch"), m.Platform.Arch)
	}
	f.need(root.key("kubernetes"), m.Kubernetes)
	f.need(root.key("runtime"), m.Runtime)
	f.need(root.key("network"), m.Network)
	if len(m.Packages.Roots) > 0 && len(m.Packages.Repos) == 0 {
		f.need(root.key("packages").key("repos"), "")
	}
	for i, r := range m.Packages.Repos {
		if len(r.BaseURL) == 0 {
			f.need(root.key("packages").key("repos").index(i).key("baseurl"), "")
		}
		if r.Checked() && len(r.GPGKey) == 0 {
			f.add(root.key("packages").key("repos").index(i), "signatures are checked (gpgcheck), but gpgkey is empty")
		}
	}
	if len(m.Packages.Roots)+len(m.Images.List)+len(m.Files) == 0 {
		f.add(root, "nothing to pack: packages.roots, images.list and files are empty")
	}
}

func (f *findings) platform(p Platform) {
	at := root.key("platform")
	f.word(at.key("family"), p.Family, f.words.families())
	f.word(at.key("arch"), p.Arch, archs())
}

func (f *findings) word(at path, word string, known []string) {
	if word != "" && !slices.Contains(known, word) {
		f.add(at, "%q is not known%s", word, guess(word, known))
	}
}

func (f *findings) packages(p *Packages, partial bool) {
	at := root.key("packages")
	parts := baselineParts(p.Baseline)
	for _, b := range parts {
		if err := checkLocation(b); err != nil || strings.Contains(b, "://") {
			f.add(at.key("baseline"), "%q must be one of %s, %s, or a file", b, strings.Join(BaselineNames(), ", "), NoBaseline)
		}
		if len(parts) > 1 && (b == "" || b == NoBaseline) {
			f.add(at.key("baseline"), "%q cannot be combined with other baselines", b)
		}
	}
	seen := map[string]bool{}
	for i, r := range p.Roots {
		f.root(at.key("roots").index(i), r, partial)
		if seen[r] {
			f.add(at.key("roots").index(i), "duplicate %q", r)
		}
		seen[r] = true
	}
	for i, x := range p.Exclude {
		f.root(at.key("exclude").index(i), x, false)
	}
	for i, x := range p.Modules {
		if name, stream, ok := strings.Cut(x, ":"); !ok || name == "" || stream == "" || strings.ContainsAny(x, " \t\n") {
			f.add(at.key("modules").index(i), "%q is not a module stream: want NAME:STREAM", x)
		}
	}
	seen = map[string]bool{}
	for i := range p.Repos {
		f.repo(at.key("repos").index(i), &p.Repos[i], seen)
	}
}

// root checks the name of a package, with or without a version.
func (f *findings) root(at path, spec string, partial bool) {
	switch {
	case spec == "":
		f.add(at, "must not be empty")
	case strings.HasPrefix(spec, "-") && !partial:
		f.add(at, "cannot remove %q: nothing is inherited (extends)", spec)
	case strings.ContainsFunc(spec, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		f.add(at, "%q contains a space: want one package per entry", spec)
	}
}

func (f *findings) repo(at path, r *Repo, seen map[string]bool) {
	if at := at.key("id"); f.need(at, r.ID) {
		if !nameForm.MatchString(r.ID) {
			f.add(at, "%q is not a valid id: want letters, digits, dots, dashes and underscores", r.ID)
		}
		if seen[r.ID] {
			f.add(at, "duplicate %q", r.ID)
		}
		seen[r.ID] = true
	}
	for i, u := range r.BaseURL {
		f.location(at.key("baseurl").index(i), u)
		f.variables(at.key("baseurl").index(i), u)
	}
	for i, k := range r.GPGKey {
		at := at.key("gpgkey").index(i)
		name, ok := strings.CutPrefix(k, embedded)
		if !ok {
			f.location(at, k)
			f.variables(at, k)
		} else if _, err := fs.Stat(Keys(), name); err != nil {
			f.add(at, "no embedded key %q%s", name, guess(name, keyNames()))
		}
	}
	for i, p := range r.Fingerprints {
		if !hexForm.MatchString(p) || len(p) != 40 && len(p) != 64 {
			f.add(at.key("fingerprints").index(i), "%q is not a fingerprint: want 40 or 64 hex digits", p)
		}
	}
	const lowest = 99
	if r.Priority < 0 || r.Priority > lowest {
		f.add(at.key("priority"), "%d is not between 1 and %d", r.Priority, lowest)
	}
}

// variables reports unknown variables in a repository's URL.
func (f *findings) variables(at path, s string) {
	if err := checkVariables(s); err != nil {
		f.add(at, "%v", err)
	}
}

func (f *findings) location(at path, s string) {
	if s == "" {
		f.add(at, "must not be empty")
	} else if err := checkLocation(s); err != nil {
		f.add(at, "%v", err)
	}
}

func (f *findings) images(m *Images, partial bool) {
	at := root.key("images")
	for registry, prefixes := range m.Mirrors {
		if credential.InURL(registry) != "" {
			f.add(at.key("mirrors"), "%v", errLogin) // without the key, which names it
			continue
		}
		if err := checkMirrored(registry); err != nil {
			f.add(at.key("mirrors").key(registry), "%v", err)
		}
		for i, p := range prefixes {
			if err := checkMirror(p); err != nil {
				f.add(at.key("mirrors").key(registry).index(i), "%v", err)
			}
		}
	}
	seen := map[string]bool{}
	for i, img := range m.List {
		at := at.key("list").index(i)
		if removed, ok := strings.CutPrefix(img.Name, "-"); ok && partial {
			if removed == "" {
				f.add(at, "%q is not the name of an image", img.Name)
			}
			continue
		}
		if img.Name == "" {
			f.need(at.key("name"), "")
			continue
		}
		if err := checkImage(img.Name); err != nil {
			f.add(at, "%v", err)
		}
		full := imageref.Complete(img.Name)
		if seen[full] {
			f.add(at, "duplicate %q", img.Name)
		}
		seen[full] = true
		f.roles(at.key("roles"), img.Roles)
	}
}

func (f *findings) files(files []File) {
	seen := map[string]bool{}
	for i, x := range files {
		at := root.key("files").index(i)
		f.urls(at.key("url"), &x)
		if f.need(at.key("path"), x.Path) {
			if err := checkMember(x.Path); err != nil {
				f.add(at.key("path"), "%v", err)
			}
			if seen[x.Path+"\x00"+x.Network] {
				f.add(at.key("path"), "duplicate %q", x.Path)
			}
			seen[x.Path+"\x00"+x.Network] = true
		}
		if x.SHA256 != "" && !sha256Form.MatchString(strings.ToLower(x.SHA256)) {
			f.add(at.key("sha256"), "%q is not a sha256: want 64 hex digits, got %s", x.SHA256, count(len(x.SHA256)))
		}
		f.word(at.key("network"), x.Network, f.words.networks())
		f.roles(at.key("roles"), x.Roles)
	}
}

func count(n int) string {
	if n == 1 {
		return "1 character"
	}
	return fmt.Sprintf("%d characters", n)
}

func (f *findings) roles(at path, roles []Role) {
	known := []string{string(Master), string(Node)}
	for i, r := range roles {
		switch {
		case r == Single:
			f.add(at.index(i), `"single" is a master and a node on one host: name those two roles`)
		case !slices.Contains(known, string(r)):
			f.add(at.index(i), "%q is not known%s", r, guess(string(r), known))
		}
	}
}
