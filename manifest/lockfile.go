package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/imageref"
)

const (
	// MaxLockSize limits the size of a lock, in bytes: some 8,000 packages.
	MaxLockSize = 4 << 20
	// maxLockValues limits the values of a lock: a package has some 25, and each
	// takes 700 bytes of memory while it is decoded.
	maxLockValues = 200_000

	lockHeader = "# written by bundle lock; do not edit\n"
)

// LockPath is the path of a manifest's lock: kubernetes.lock next to
// kubernetes.yaml; for a profile, NAME.lock in the current directory.
func LockPath(ref string) string {
	if isProfile(ref) {
		return ref + ".lock"
	}
	return strings.TrimSuffix(ref, filepath.Ext(ref)) + ".lock"
}

// ParseLock reads a lock strictly; errors call the file name. The error is an
// *InvalidError.
func ParseLock(name string, data []byte) (*Lock, error) { return Words{}.ParseLock(name, data) }

// ParseLock is the function ParseLock with the words of w.
func (w Words) ParseLock(name string, data []byte) (*Lock, error) {
	l := &Lock{}
	doc, err := decode(name, data, decoder{limit: maxLockValues}, MaxLockSize, l)
	if err != nil {
		return nil, err
	}
	if err := invalid(name, validateLock(l, w).problems(doc)); err != nil {
		return nil, err
	}
	return l, nil
}

// ReadLock reads a lock from a file. If it is missing, the error is fs.ErrNotExist.
func ReadLock(file string) (*Lock, error) {
	// Reading a pipe or a device could block or never end.
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", file)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock: %w", err)
	}
	text, err := readFile(file, MaxLockSize)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock: %w", err)
	}
	return ParseLock(file, text)
}

// WriteLock writes a lock atomically, through a temporary file in the same
// directory.
func WriteLock(file string, l *Lock) error {
	text, err := l.Marshal()
	if err != nil {
		return err
	}
	const mode = 0o644
	if err := atomicfile.WriteFile(file, text, mode); err != nil {
		return fmt.Errorf("cannot write the lock: %w", err)
	}
	return nil
}

// Marshal writes a lock as YAML: packages, images and files sorted, the same
// bytes for the same lock.
func (l *Lock) Marshal() ([]byte, error) {
	c := *l
	c.Packages = orEmpty(slices.Clone(l.Packages))
	c.Images = orEmpty(slices.Clone(l.Images))
	c.Files = orEmpty(slices.Clone(l.Files))
	slices.SortFunc(c.Packages, func(a, b LockedPackage) int { return strings.Compare(a.NEVRA.String(), b.NEVRA.String()) })
	slices.SortFunc(c.Images, func(a, b LockedImage) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Files, func(a, b LockedFile) int { return strings.Compare(a.Path, b.Path) })
	return marshal(lockHeader, &c)
}

// Validate checks a lock. The error is an *InvalidError.
func (l *Lock) Validate() error {
	return invalid("lock", validateLock(l, Words{}).problems(nil))
}

func validateLock(l *Lock, w Words) *findings {
	f := &findings{words: w}
	f.header(l.APIVersion, l.Kind, KindLock)
	if at := root.key("name"); f.need(at, l.Name) && !nameForm.MatchString(l.Name) {
		f.add(at, "%q is not a valid file name", l.Name)
	}
	f.need(root.key("platform").key("family"), l.Platform.Family)
	f.need(root.key("platform").key("arch"), l.Platform.Arch)
	f.platform(l.Platform)
	f.form(root.key("manifest"), l.Manifest, sha256Form, "64 hex digits")
	if l.Baseline != NoBaseline {
		f.form(root.key("baseline"), l.Baseline, sha256Form, "64 hex digits")
	}
	f.lockedPackages(l.Packages)
	f.lockedImages(l.Images, "linux/"+l.Platform.Arch)
	f.lockedFiles(l.Files)
	return f
}

func (f *findings) form(at path, value string, form *regexp.Regexp, want string) {
	if f.need(at, value) && !form.MatchString(value) {
		f.add(at, "%q must be %s", value, want)
	}
}

// order reports duplicate and unsorted entries: key follows before.
func (f *findings) order(at path, before, key string) {
	switch {
	case key != "" && before == key:
		f.add(at, "duplicate %q", key)
	case before > key:
		f.add(at, "%q is after %q: the list must be sorted", key, before)
	}
}

func (f *findings) size(at path, size, least int64) {
	if size < least {
		f.add(at, "%d is not a valid size", size)
	}
}

func (f *findings) lockedPackages(list []LockedPackage) {
	before := ""
	for i := range list {
		p, at := &list[i], root.key("packages").index(i)
		id := p.NEVRA.String()
		f.need(at.key("nevra"), id)
		f.order(at.key("nevra"), before, id)
		before = id
		f.form(at.key("repo"), p.Repo, nameForm, "the id of a repository")
		f.location(at.key("location"), p.Location)
		f.location(at.key("url"), p.URL)
		f.size(at.key("size"), p.Size, 1)
		f.form(at.key("sha256"), p.SHA256, sha256Form, "64 hex digits")
		if p.Relations != "" {
			f.form(at.key("relations"), p.Relations, sha256Form, "64 hex digits")
		}
		for j, w := range p.Why {
			if (w.Root == "") == (w.By == "" && w.Requires == "") || (w.By == "") != (w.Requires == "") {
				f.add(at.key("why").index(j), "want root, or by and requires")
			}
		}
	}
}

func (f *findings) lockedImages(list []LockedImage, platform string) {
	before := ""
	for i := range list {
		img, at := &list[i], root.key("images").index(i)
		if f.need(at.key("name"), img.Name) {
			if err := checkImage(img.Name); err != nil {
				f.add(at.key("name"), "%v", err)
			}
		}
		f.order(at.key("name"), before, img.Name)
		before = img.Name
		f.need(at.key("source"), img.Source)
		f.form(at.key("digest"), img.Digest, digestForm, "sha256: and 64 hex digits")
		if img.Index != "" {
			f.form(at.key("index"), img.Index, digestForm, "sha256: and 64 hex digits")
		}
		if f.need(at.key("platform"), img.Platform) && img.Platform != platform {
			f.add(at.key("platform"), "%q is not the lock's platform, %s", img.Platform, platform)
		}
		f.need(at.key("mediaType"), img.MediaType)
		f.size(at.key("size"), img.Size, 1)
		f.blob(at.key("config"), img.Config)
		for j, layer := range img.Layers {
			at := at.key("layers").index(j)
			f.blob(at, layer.LockedBlob)
			f.need(at.key("mediaType"), layer.MediaType)
			f.form(at.key("diffID"), layer.DiffID, digestForm, "sha256: and 64 hex digits")
		}
		f.roles(at.key("roles"), img.Roles)
		if img.From != "" {
			if err := checkMember(img.From); err != nil {
				f.add(at.key("from"), "%v", err)
			}
		}
	}
}

func (f *findings) blob(at path, b LockedBlob) {
	f.form(at.key("digest"), b.Digest, digestForm, "sha256: and 64 hex digits")
	f.size(at.key("size"), b.Size, 0)
}

func (f *findings) lockedFiles(list []LockedFile) {
	before := ""
	for i, x := range list {
		at := root.key("files").index(i)
		if f.need(at.key("path"), x.Path) {
			if err := checkMember(x.Path); err != nil {
				f.add(at.key("path"), "%v", err)
			}
		}
		f.order(at.key("path"), before, x.Path)
		before = x.Path
		f.location(at.key("url"), x.URL)
		f.size(at.key("size"), x.Size, 0)
		f.form(at.key("sha256"), x.SHA256, sha256Form, "64 hex digits")
		f.roles(at.key("roles"), x.Roles)
	}
}

// Stale explains why l no longer matches m, "" if it does. It names the first
// difference that a person can see: the platform, a root, an image, a file, the
// baseline.
func (l *Lock) Stale(m *Manifest) string {
	switch {
	case l.Name != m.Name:
		return fmt.Sprintf("the lock is for %q, the manifest is %q", l.Name, m.Name)
	case l.Platform != m.Platform:
		return fmt.Sprintf("the lock is for %s %s, the manifest for %s %s", l.Platform.Family, l.Platform.Arch, m.Platform.Family, m.Platform.Arch)
	}
	_, baseline, err := Baseline(m.Packages.Baseline, m.Dir())
	switch {
	case err != nil:
		return err.Error()
	case baseline != l.Baseline:
		return fmt.Sprintf("the baseline %s is not the one it was resolved against", m.Packages.Baseline)
	case l.Manifest == m.Digest():
		return ""
	}
	if text := l.difference(m); text != "" {
		return text
	}
	return fmt.Sprintf("the manifest has changed since it was locked (%.12s, now %.12s)", l.Manifest, m.Digest())
}

// difference names the first root, image or file that differs between l and m.
func (l *Lock) difference(m *Manifest) string {
	var roots []string
	for _, p := range l.Packages {
		for _, w := range p.Why {
			if w.Root != "" {
				roots = append(roots, w.Root)
			}
		}
	}
	for _, r := range m.Packages.Roots {
		if !slices.Contains(roots, r) {
			return fmt.Sprintf("the package %s is new in the manifest", r)
		}
	}
	for _, r := range roots {
		if !slices.Contains(m.Packages.Roots, r) {
			return fmt.Sprintf("the package %s is no longer in the manifest", r)
		}
	}
	images := map[string]bool{}
	for _, img := range l.Images {
		images[imageref.Complete(img.Name)] = true
	}
	for _, img := range m.Images.List {
		if !images[imageref.Complete(img.Name)] {
			return fmt.Sprintf("the image %s is new in the manifest", img.Name)
		}
	}
	for _, f := range m.Files {
		i := slices.IndexFunc(l.Files, func(x LockedFile) bool { return x.Path == f.Path })
		switch {
		case i < 0:
			return fmt.Sprintf("the file %s is new in the manifest", f.Path)
		case f.SHA256 != "" && f.SHA256 != l.Files[i].SHA256:
			return fmt.Sprintf("the manifest pins another sha256 for %s", f.Path)
		}
	}
	return ""
}
