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

// ErrNoArchive is that FindArchive finds none; other errors of it are not.
var ErrNoArchive = errors.New("there is no *.tar.zst beside this program or in this directory")

// FindArchive returns the one archive that stands beside this program, or else
// in the working directory. Volumes count as one.
func FindArchive() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot look for the archive: %w", err)
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
		return "", hint.With(fmt.Errorf("cannot choose an archive: %s holds %s", dir, strings.Join(found, ", ")), "--archive FILE names one")
	}
	return "", hint.With(fmt.Errorf("cannot find an archive: %w", ErrNoArchive), "--archive FILE names one")
}

// mostArchives is how many archives of one directory are told apart.
const mostArchives = 16

// archivesIn lists the archives in dir. Links are passed over: an archive that
// lies elsewhere can be named.
func archivesIn(dir string) ([]string, error) {
	d := media.At(dir)
	names, err := d.List(".", mostArchives, isArchive)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return nil, fmt.Errorf("cannot look for the archive: %w", err)
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

// OpenArchive opens the archive of m, and decides whether h may trust it before
// anything of it is believed; what it says of that goes to tell. Close the closer
// when nothing is read any more.
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

// bundle is what is installed: the archive, or the copies of its description that
// an installed host keeps.
type bundle struct {
	media    Media           // with no archive where it is not at hand
	archive  *archive.Reader // nil without it
	trusted  *trust.Trusted  // who signed the archive
	lock     *manifest.Lock
	manifest *manifest.Manifest
	software software.Source // how the programs come to the host
	files    fs.FS           // the network's manifest is in it
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

// keptBundle is what h was installed from, by the copies that it keeps.
func keptBundle(h *host.Host, m Media, t Tables) (*bundle, error) {
	from := os.DirFS(h.Path(step.Dir))
	m.Archive = ""
	b := &bundle{media: m, files: from}
	if err := b.describe(h, from.(fs.ReadFileFS), t); err != nil {
		return nil, hint.With(fmt.Errorf("cannot tell what was installed: %w", err), "put the stick in, and name the archive: --archive FILE")
	}
	return b, nil
}

// installedBundle is the bundle that h was installed from: its archive where m has
// it, or else what is kept on the host.
func installedBundle(h *host.Host, m Media, c Caller, name string) (*bundle, error) {
	if m.Archive == "" {
		return keptBundle(h, m, c.Tables)
	}
	b, err := openBundle(h, m, c)
	if err == nil && b.name() == name {
		return b, nil
	}
	if err == nil {
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

// describe reads what the bundle is. It completes a bundle that is being made, and
// tells h how programs come to it.
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

// close closes the archive; nothing is read of it any more.
func (b *bundle) close() error {
	if b.closing == nil {
		return nil
	}
	return b.closing()
}

// name is the archive's name without its ending.
func (b *bundle) name() string { return b.lock.Name + "-" + b.lock.Platform.Arch }

// needs is what the role takes of the archive.
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

// memberOf says whether the role needs a member.
func memberOf(role manifest.Role) func(archive.Member) bool {
	return func(m archive.Member) bool { return m.NeededBy(role) }
}

// images are those that the role needs.
func (b *bundle) images(role manifest.Role) []manifest.LockedImage {
	var list []manifest.LockedImage
	for _, img := range b.lock.Images {
		if neededBy(img.Roles, role) {
			list = append(list, img)
		}
	}
	return list
}

// imageNames are the names of all images, whatever the role.
func (b *bundle) imageNames() []string {
	var names []string
	for _, img := range b.lock.Images {
		names = append(names, img.Name)
	}
	return names
}

// fileNames are the paths of the files that the role needs.
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

// keep brings the bundle's description to the host's disk, for when the stick is
// gone.
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
