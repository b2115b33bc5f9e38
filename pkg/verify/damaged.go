package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/hint"
)

// Damaged is what is wrong with an archive whose index can be read. Whole
// counts the members, of Members in all, that are as they were written.
type Damaged struct {
	Path    string
	Whole   int
	Members int
	err     error // names every damage
}

// listed is how many damages Error spells out.
const listed = 12

// Error lists what is damaged and says how much is not.
func (e *Damaged) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are those of Error.
func (e *Damaged) Lines() []string {
	all := archive.Damages(e.err)
	text := []string{fmt.Sprintf("%s: %d of %d members are whole", e.Path, e.Whole, e.Members)}
	for _, d := range all[:min(listed, len(all))] {
		text = append(text, d.Error())
	}
	if more := len(all) - listed; more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	return text
}

// Unwrap gives every *archive.DamageError and the hint.
func (e *Damaged) Unwrap() error { return e.err }

// damaged describes what r.Verify said; an err of another kind stays as it is.
func damaged(path string, r *archive.Reader, err error) error {
	var d *archive.DamageError
	if !errors.As(err, &d) {
		return err
	}
	e := &Damaged{Path: path, Members: len(r.Index().Members), err: err}
	e.Whole = e.Members
	for _, d := range archive.Damages(err) {
		if d.Path != "" && d.Path != archive.IndexName {
			e.Whole--
		}
	}
	return e
}

// withProgramHint says how to get a program again.
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
	return hint.With(err, "do not run it and do not sign it; take it out of the archive, on a machine with tar and zstd: %s%s %s >%s && chmod 755 %s", cat, read, member, to, to)
}
