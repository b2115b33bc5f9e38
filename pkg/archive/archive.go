package archive

import (
	"errors"
	"fmt"

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

// hinted adds what to do about damage, unless err is something else.
func hinted(err error) error {
	var d *DamageError
	if !errors.As(err, &d) || hint.Of(err) != "" {
		return err
	}
	return hint.With(err, "copy the archive again and check it there: sha256sum -c *.sha256, or bundle verify")
}

// ErrVersion says that an archive is of another format version.
var ErrVersion = errors.New("this kubecrate does not know the archive's format version")
