package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/report"
)

// Damaged lists the damage of an archive with a readable index. Whole counts the
// intact members, of Members in all.
type Damaged struct {
	Path    string
	Whole   int
	Members int
	err     error               // names every damage
	images  map[string][]string // by member, those that it is a part of
}

// listed is how many damages Error spells out.
const listed = 12

// Error lists what is damaged and says how much is not.
func (e *Damaged) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are those of Error.
func (e *Damaged) Lines() []string {
	all := archive.Damages(e.err)
	text := []string{fmt.Sprintf("%s: %d of %d members are intact", e.Path, e.Whole, e.Members)}
	for _, d := range all[:min(listed, len(all))] {
		text = append(text, d.Error()+partOf(e.images[d.Path]))
	}
	if more := len(all) - listed; more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	return text
}

// Unwrap gives every *archive.DamageError and the hint.
func (e *Damaged) Unwrap() error { return e.err }

// partOf names images, for the end of a line.
func partOf(images []string) string {
	switch len(images) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" (of %s)", images[0])
	}
	return fmt.Sprintf(" (of %s and %d more)", images[0], len(images)-1)
}

// imagesOf lists, by the member that holds a part of them, the images of l.
func imagesOf(l *manifest.Lock) map[string][]string {
	of := map[string][]string{}
	for _, img := range l.Images {
		parts := []string{img.Digest, img.Config.Digest}
		for _, layer := range img.Layers {
			parts = append(parts, layer.Digest, layer.DiffID)
		}
		for _, digest := range parts {
			at := "images/blobs/" + strings.Replace(digest, ":", "/", 1)
			if !slices.Contains(of[at], img.Name) {
				of[at] = append(of[at], img.Name)
			}
		}
	}
	return of
}

// damaged describes what r.Verify said; an err of another kind stays as it is.
func damaged(path string, r *archive.Reader, err error) error {
	var d *archive.DamageError
	if !errors.As(err, &d) {
		return err
	}
	e := &Damaged{Path: path, Members: len(r.Index().Members), err: err}
	if l, err := report.Lock(r); err == nil { // a damaged one is reported, and names nothing
		e.images = imagesOf(l)
	}
	e.Whole = e.Members
	for _, d := range archive.Damages(err) {
		if d.Path != "" && d.Path != archive.IndexName {
			e.Whole--
		}
	}
	return e
}

// withProgramHint adds the command that restores a program.
func withProgramHint(err error, base, name, member string) error {
	from := hint.Command(base)
	read := "tar --zstd -xO"
	cat := ""
	if _, serr := os.Stat(base); serr != nil {
		cat = "cat " + from + ".??? | "
	} else {
		read += "f " + from
	}
	to := hint.Command(filepath.Join(filepath.Dir(base), name))
	return hint.With(err, "do not run or sign it; extract it from the archive, on a machine with tar and zstd: %s%s %s >%s && chmod 755 %s", cat, read, member, to, to)
}
