package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/media"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/trust"
)

// ErrNoArchive means that FindArchive found no archive.
var ErrNoArchive = errors.New("there is no *.tar.zst beside this program or in this directory")

// FindArchive returns the only archive beside this program, or else in the working
// directory. Volumes count as one archive.
func FindArchive() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot search for the archive: %w", err)
	}
	for _, dir := range []string{filepath.Dir(self), "."} {
		found, err := archivesIn(dir)
		if err != nil {
			return "", err
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		return "", hint.With(fmt.Errorf("cannot choose an archive: %s contains %s", dir, strings.Join(found, ", ")), "select one with --archive FILE")
	}
	return "", hint.With(fmt.Errorf("cannot find an archive: %w", ErrNoArchive), "select one with --archive FILE")
}

// mostArchives limits how many archives of a directory are listed.
const mostArchives = 16

// archivesIn lists the archives in dir. It ignores links: an archive elsewhere can be
// named with --archive.
func archivesIn(dir string) ([]string, error) {
	d := media.At(dir)
	names, err := d.List(".", mostArchives, isArchive)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return nil, fmt.Errorf("cannot search for the archive: %w", err)
	}
	var found []string
	for _, name := range names {
		found = append(found, d.Join(name))
	}
	return found, nil
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.zst") || strings.HasSuffix(name, ".tar.zst.001")
}

// OpenArchive opens the archive of m, and checks that h trusts it before anything else
// is read from it; tell gets who signed it. The caller closes the closer.
func OpenArchive(h *host.Host, m Media, tell progress.Func) (r *archive.Reader, closer io.Closer, who *trust.Trusted, err error) {
	r, closer, err = archive.OpenPath(m.Archive)
	if err != nil {
		return nil, nil, nil, err
	}
	if who, err = trust.Check(h, m.Archive, r.IndexBytes(), m.Trust); err != nil {
		return nil, nil, nil, errors.Join(err, closer.Close())
	}
	tell.Report(progress.Event{Kind: progress.Note, Stage: "trust", Text: filepath.Base(m.Archive) + " is " + who.Text()})
	return r, closer, who, nil
}

// bundle is the archive, or the copies of its description on an installed host.
type bundle struct {
	media    Media           // without an archive if only the copies are used
	archive  *archive.Reader // nil without it
	trusted  *trust.Trusted  // who signed the archive
	lock     *manifest.Lock
	manifest *manifest.Manifest
	software software.Source // how programs are installed
	files    fs.FS           // contains the network's manifest
	closing  func() error
}

// openBundle opens the archive of m.
func openBundle(h *host.Host, m Media, c Caller) (*bundle, error) {
	r, closer, who, err := OpenArchive(h, m, c.Report)
	if err != nil {
		return nil, err
	}
	b := &bundle{media: m, archive: r, trusted: who, files: r, closing: sync.OnceValue(closer.Close)}
	if err := b.describe(h, r, c.Tables); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// keptBundle reads the copies of the bundle's description on an installed host.
func keptBundle(h *host.Host, m Media, t Tables) (*bundle, error) {
	from := os.DirFS(h.Path(step.Dir))
	m.Archive = ""
	b := &bundle{media: m, files: from}
	if err := b.describe(h, from.(fs.ReadFileFS), t); err != nil {
		return nil, hint.With(fmt.Errorf("cannot determine what was installed: %w", err), "insert the stick and select the archive: --archive FILE")
	}
	return b, nil
}

// installedBundle returns the bundle that h was installed from: its archive if m has
// it, or else the copies on the host.
func installedBundle(h *host.Host, m Media, c Caller, name string) (*bundle, error) {
	if m.Archive == "" {
		return keptBundle(h, m, c.Tables)
	}
	b, err := openBundle(h, m, c)
	if err == nil && b.name() == name {
		return b, nil
	}
	if err == nil {
		c.Report.Report(progress.Event{Kind: progress.Warn, Stage: "stick", Text: fmt.Sprintf(
			"%s is not the installed bundle, %s: using the copies on this host; a ticket is written to the stick only with --ticket FILE", b.name(), name)})
		err = b.close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return keptBundle(h, m, c.Tables)
}

// The members that describe a bundle.
const (
	lockMember     = "bundle.lock"
	manifestMember = "bundle.yaml"
)

// describe reads the bundle's description. It completes a new bundle, and sets how
// programs are installed on h.
func (b *bundle) describe(h *host.Host, from fs.ReadFileFS, t Tables) (err error) {
	if b.lock, err = report.LockWith(from, t.words()); err != nil {
		return err
	}
	text, err := from.ReadFile(manifestMember)
	if err != nil {
		return fmt.Errorf("cannot read the archive's manifest: %w", err)
	}
	if b.manifest, err = t.words().Parse(manifestMember, text); err != nil {
		return err
	}
	if b.software, err = t.families().For(b.lock.Platform.Family); err != nil {
		return err
	}
	h.Software = b.software
	return nil
}

// close closes the archive.
func (b *bundle) close() error {
	if b.closing == nil {
		return nil
	}
	return b.closing()
}

// name is the archive's name without its extension.
func (b *bundle) name() string { return b.lock.Name + "-" + b.lock.Platform.Arch }

// needs returns what the role needs of the archive.
func (b *bundle) needs(role manifest.Role) Needs {
	var n Needs
	for _, p := range b.lock.Packages {
		n.Packages = append(n.Packages, p.NEVRA.String())
	}
	for _, img := range b.images(role) {
		n.Images = append(n.Images, img.Name)
	}
	n.Files = b.fileNames(role)
	if b.archive == nil {
		return n
	}
	for _, m := range b.archive.Index().Members {
		if m.NeededBy(role) {
			n.Members++
			n.Raw += m.Size
		}
	}
	n.Compressed = b.archive.Compressed(memberOf(role))
	return n
}

// memberOf selects the members that the role needs.
func memberOf(role manifest.Role) func(archive.Member) bool {
	return func(m archive.Member) bool { return m.NeededBy(role) }
}

// images returns the images that the role needs.
func (b *bundle) images(role manifest.Role) []manifest.LockedImage {
	var list []manifest.LockedImage
	for _, img := range b.lock.Images {
		if neededBy(img.Roles, role) {
			list = append(list, img)
		}
	}
	return list
}

// imageNames returns the names of all images, for every role.
func (b *bundle) imageNames() []string {
	var names []string
	for _, img := range b.lock.Images {
		names = append(names, img.Name)
	}
	return names
}

// fileNames returns the paths of the files that the role needs.
func (b *bundle) fileNames(role manifest.Role) []string {
	var names []string
	for _, f := range b.lock.Files {
		if neededBy(f.Roles, role) {
			names = append(names, f.Path)
		}
	}
	return names
}

func neededBy(roles []manifest.Role, role manifest.Role) bool {
	return manifest.Artifact{Roles: roles}.NeededBy(role)
}

// keep copies the bundle's description to the host, for use without the stick.
func (b *bundle) keep(h *host.Host, role manifest.Role) error {
	if b.archive == nil {
		return nil
	}
	for _, name := range append([]string{lockMember, manifestMember}, b.fileNames(role)...) {
		text, err := b.archive.ReadFile(name)
		if err != nil {
			return err
		}
		if err := writeState(h, name, text); err != nil {
			return err
		}
	}
	return nil
}
