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
// the archive. Base names the archive that this one completes and is empty for
// one that stands alone, as all of today do.
type Index struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Platform manifest.Platform `json:"platform"`
	Level    string            `json:"level"`
	Base     string            `json:"base,omitempty"`
	Members  []Member          `json:"members"`
}

// DamageError says that an archive is not what was written. Path is the member
// that cannot be trusted; it is empty where the damage lies in what holds the
// members together: the index, the seek table, the end of the archive.
type DamageError struct {
	Path   string
	Reason string
}

// Error names the member and says what is wrong with it.
func (e *DamageError) Error() string {
	if e.Path == "" {
		return "archive is damaged: " + e.Reason
	}
	return fmt.Sprintf("archive member %s is damaged: %s", e.Path, e.Reason)
}

// ExitCode is that of both programs for an archive that is corrupt.
func (*DamageError) ExitCode() int { return 4 }

// damage is a DamageError of the archive as a whole.
func damage(format string, args ...any) error {
	return &DamageError{Reason: fmt.Sprintf(format, args...)}
}

// hinted adds what to do about damage of what src reads, unless err is something
// else.
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

// verifyThere is a command that checks the files of the archive at base.
func verifyThere(base string) string {
	return fmt.Sprintf("cd %s && sha256sum -c %s", shellWord(filepath.Dir(base)), shellWord(filepath.Base(base)+SidecarSuffix))
}

// copyAgain is what to do about the archive at base, which is damaged. The checks
// are of any host, with bundle or without.
func copyAgain(base string) string {
	if _, err := os.Stat(base + SidecarSuffix); err == nil {
		return "copy the archive again, and check it: " + verifyThere(base)
	}
	files := shellWord(filepath.Base(base))
	if _, err := os.Stat(base); err != nil {
		files += ".[0-9]*" // volumes
	}
	return fmt.Sprintf("copy the archive again, and compare with the copy that it came from: cd %s && sha256sum %s", shellWord(filepath.Dir(base)), files)
}

// ErrVersion says that an archive is of another format version.
var ErrVersion = errors.New("this kubecrate does not know the archive's format version")
