package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/table"
)

// Contents is what an archive holds. Sizes are bytes; raw sizes are those of
// the members before compression.
type Contents struct {
	Name       string            `json:"name"`
	Platform   manifest.Platform `json:"platform"`
	Level      string            `json:"level"`
	Compressed int64             `json:"compressed"`
	Raw        int64             `json:"raw"`
	Kinds      []KindSize        `json:"kinds"`
	Roles      []RoleSize        `json:"roles"`
	Lock       *manifest.Lock    `json:"lock"`
	Members    []archive.Member  `json:"members"`

	// Signers are the keys that signed the packages, by NEVRA: fingerprints, as the
	// builder wrote them into the archive's SBOM.
	Signers map[string]string `json:"signers,omitempty"`

	// Disagrees says how what the lock says differs from what the archive holds, ""
	// where it does not.
	Disagrees string `json:"disagrees,omitempty"`
}

// KindSize sums the members of one kind.
type KindSize struct {
	Kind  manifest.Kind `json:"kind"`
	Count int           `json:"count"`
	Raw   int64         `json:"raw"`
}

// RoleSize sums what a host of one role reads, before compression.
type RoleSize struct {
	Role manifest.Role `json:"role"`
	Raw  int64         `json:"raw"`
}

// Inspect reads the index and the lock of r, and compares them as Agree does. That
// each member is intact is what verify checks.
func Inspect(r *archive.Reader) (*Contents, error) {
	lock, err := Lock(r)
	if err != nil {
		return nil, err
	}
	idx := r.Index()
	c := &Contents{
		Name: idx.Name, Platform: idx.Platform, Level: idx.Level, Compressed: r.Size(),
		Lock: lock, Members: idx.Members,
	}
	if err := agree(r, lock); err != nil {
		c.Disagrees = err.Error()
	}
	if c.Signers, err = signers(r, lock); err != nil {
		return nil, err
	}
	kinds := map[manifest.Kind]*KindSize{}
	roles := []RoleSize{{Role: manifest.Master}, {Role: manifest.Node}}
	for _, m := range idx.Members {
		c.Raw += m.Size
		k := kinds[m.Kind]
		if k == nil {
			k = &KindSize{Kind: m.Kind}
			kinds[m.Kind] = k
		}
		k.Count++
		k.Raw += m.Size
		for i := range roles {
			if m.NeededBy(roles[i].Role) {
				roles[i].Raw += m.Size
			}
		}
	}
	for _, k := range kinds {
		c.Kinds = append(c.Kinds, *k)
	}
	sort.Slice(c.Kinds, func(i, j int) bool { return c.Kinds[i].Raw > c.Kinds[j].Raw })
	c.Roles = roles
	return c, nil
}

// Lock reads bundle.lock out of an archive.
func Lock(fsys fs.FS) (*manifest.Lock, error) { return LockWith(fsys, manifest.Words{}) }

// LockWith is as Lock, for a lock that may use the words of w.
func LockWith(fsys fs.FS, w manifest.Words) (*manifest.Lock, error) {
	data, err := readMember(fsys, lockName, manifest.MaxLockSize)
	if err != nil {
		return nil, fmt.Errorf("cannot read the archive's lock: %w", err)
	}
	return w.ParseLock(lockName, data)
}

// readMember reads a member of at most limit bytes.
func readMember(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), limit)
	}
	return fs.ReadFile(fsys, name)
}

// IsLock says whether path names a lock, and not an archive.
func IsLock(path string) bool { return strings.HasSuffix(path, ".lock") }

// ReadLock reads the lock at path, or that inside the archive at path.
func ReadLock(path string) (l *manifest.Lock, err error) {
	if IsLock(path) {
		return manifest.ReadLock(path)
	}
	r, closer, err := archive.OpenPath(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	return Lock(r)
}

// WriteText prints c for people.
func (c *Contents) WriteText(w io.Writer) error {
	p := table.New(w)
	if c.Disagrees != "" {
		p.Line("WARNING: do not use this archive, the following differs from its contents: %s", c.Disagrees)
		p.Line("")
	}
	p.Line("%s for %s/%s, level %s", c.Name, c.Platform.Family, c.Platform.Arch, c.Level)
	p.Line("%s in the archive, %s unpacked, %d members", progress.Size(c.Compressed), progress.Size(c.Raw), len(c.Members))
	p.Line("")
	p.Line("KIND\tMEMBERS\tUNPACKED")
	for _, k := range c.Kinds {
		p.Line("%s\t%d\t%s", k.Kind, k.Count, progress.Size(k.Raw))
	}
	p.Line("")
	p.Line("IMAGE\tDIGEST\tROLES\tFROM")
	for _, img := range c.Lock.Images {
		p.Line("%s\t%s\t%s\t%s", img.Name, Short(img.Digest), Roles(img.Roles), img.Source)
	}
	p.Line("")
	p.Line("PACKAGE\tSIZE\tREPOSITORY\tSIGNED BY\tWHY")
	for _, k := range c.Lock.Packages {
		p.Line("%s\t%s\t%s\t%s\t%s", k.NEVRA, progress.Size(k.Size), k.Repo, keyID(c.Signers[k.NEVRA.String()]), FirstReason(k))
	}
	p.Line("")
	p.Line("FILE\tSIZE\tSHA256\tFROM")
	for _, f := range c.Lock.Files {
		p.Line("%s\t%s\t%s\t%s", f.Path, progress.Size(f.Size), Short(f.SHA256), f.URL)
	}
	for _, r := range c.Roles {
		p.Line("")
		p.Line("a %s reads %s of it unpacked", r.Role, progress.Size(r.Raw))
	}
	return p.Flush()
}

// Roles is a list of roles for people, "all" for none.
func Roles(roles []manifest.Role) string {
	if len(roles) == 0 {
		return "all"
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}

// FirstReason says in a few words what led to p.
func FirstReason(p manifest.LockedPackage) string {
	if len(p.Why) == 0 {
		return ""
	}
	if first := p.Why[0]; first.Root == "" {
		return packageName(first.By) + " requires " + first.Requires
	}
	return "root"
}
