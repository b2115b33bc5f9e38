package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
)

// Version is the format version that this package writes and reads.
const Version = 1

// IndexName is the path of the first member, which lists all others.
const IndexName = "index.json"

// Member is a member as index.json lists it. Offset is where its content
// starts in the uncompressed tar stream, in bytes.
type Member struct {
	manifest.Artifact
	Offset int64 `json:"offset"`
}

// end is where the content of m ends in the tar stream, padding included.
func (m Member) end() int64 { return m.Offset + roundUp(m.Size) }

// Index is the content of index.json: every member but itself, in the order of
// the archive. Base names the archive that this one extends; it is empty for a
// complete archive, as all are today.
type Index struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Platform manifest.Platform `json:"platform"`
	Level    string            `json:"level"`
	Base     string            `json:"base,omitempty"`
	Members  []Member          `json:"members"`
}

// DamageError reports a damaged archive. Path is the damaged member; it is empty
// if the damage is in the archive's structure: the index, the seek table, the
// end of the archive.
type DamageError struct {
	Path   string
	Reason string
}

// Error names the member and the reason.
func (e *DamageError) Error() string {
	if e.Path == "" {
		return "archive is damaged: " + e.Reason
	}
	return fmt.Sprintf("archive member %s is damaged: %s", e.Path, e.Reason)
}

// ExitCode is the exit code of both programs for a corrupt archive.
func (*DamageError) ExitCode() int { return 4 }

// damage returns a DamageError for the archive as a whole.
func damage(format string, args ...any) error {
	return &DamageError{Reason: fmt.Sprintf(format, args...)}
}

// hinted adds a hint to err if it reports damage of the archive that src reads.
func hinted(err error, src io.ReaderAt) error {
	var d *DamageError
	if !errors.As(err, &d) || hint.Of(err) != "" {
		return err
	}
	if s, ok := src.(*Source); ok {
		return hint.With(err, "%s", copyAgain(s.base))
	}
	return hint.With(err, "copy the archive again")
}

// verifyThere returns a command that checks the files of the archive at base.
func verifyThere(base string) string {
	return fmt.Sprintf("cd %s && sha256sum -c %s", shellWord(filepath.Dir(base)), shellWord(filepath.Base(base)+SidecarSuffix))
}

// copyAgain returns the hint for a damaged archive at base. The commands in it
// exist on any host, with or without bundle.
func copyAgain(base string) string {
	if _, err := os.Stat(base + SidecarSuffix); err == nil {
		return "copy the archive again and check it: " + verifyThere(base)
	}
	files := shellWord(filepath.Base(base))
	if _, err := os.Stat(base); err != nil {
		files += ".[0-9]*" // volumes
	}
	return fmt.Sprintf("copy the archive again and compare it with the original: cd %s && sha256sum %s", shellWord(filepath.Dir(base)), files)
}

// ErrVersion reports an archive of another format version.
var ErrVersion = errors.New("this version of kubecrate does not support the archive's format version")
