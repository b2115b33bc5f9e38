package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// sidecarText is a line "HEX  NAME" for every file, programs included. sha256sum -c
// skips lines that start with #: with volumes, the first line has the hash of all
// of them concatenated.
func sidecarText(name string, w *Written) string {
	var b strings.Builder
	if len(w.Files) > 1 {
		fmt.Fprintf(&b, "# %s  %s, which is: cat %s.???\n", w.SHA256, name, name)
	}
	for _, f := range slices.Concat(w.Files, w.Programs) {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, filepath.Base(f.Path))
	}
	return b.String()
}

// CheckSidecar compares digests with the sidecar of the archive at base. programs
// are the installers beside it. It returns false if there is no sidecar. A file that
// differs, or that only one of the two lists, is a *DamageError; a missing program
// is not, since an archive does not need it.
func (d *Digests) CheckSidecar(base string, programs []FileDigest) (bool, error) {
	side, err := readSidecar(base + SidecarSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = d.compare(side, programs)
	}
	if err != nil {
		return true, fmt.Errorf("cannot trust %s: %w", base, hint.With(err, "%s", copyAgain(base)))
	}
	return true, nil
}

func (d *Digests) compare(side *sidecar, programs []FileDigest) error {
	there := map[string]bool{}
	for _, f := range slices.Concat(d.Files, programs) {
		there[f.Name] = true
		want, ok := side.sums[f.Name]
		if !ok && IsProgram(f.Name) {
			continue // of another archive in the same directory, or from an older kubecrate
		}
		if !ok {
			return damage("the sidecar does not list %s", f.Name)
		}
		if f.SHA256 != want {
			return damage("%s has SHA-256 %s, the sidecar says %s", f.Name, f.SHA256, want)
		}
	}
	for name := range side.sums {
		if !there[name] && !IsProgram(name) {
			return damage("%s is listed in the sidecar but missing", name)
		}
	}
	if side.whole != "" && side.whole != d.SHA256 {
		return damage("all volumes together have SHA-256 %s, the sidecar says %s", d.SHA256, side.whole)
	}
	return nil
}

// sidecar is the content of a .sha256 file: the hash of each file by name and, with
// volumes, that of the whole, "" if it has none.
type sidecar struct {
	sums  map[string]string
	whole string
}

// maxSidecar is in bytes: maxVolumes lines.
const maxSidecar = 256 << 10

// readSidecar parses a sidecar; names are files in the same directory.
func readSidecar(path string) (*sidecar, error) {
	text, err := media.At(filepath.Dir(path)).ReadFile(filepath.Base(path), maxSidecar)
	if err != nil {
		return nil, err
	}
	return parseSidecar(bytes.NewReader(text))
}

func parseSidecar(r io.Reader) (*sidecar, error) {
	side := &sidecar{sums: map[string]string{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if rest, ok := strings.CutPrefix(line, "# "); ok && side.whole == "" {
			if sum, _, ok := strings.Cut(rest, "  "); ok && isSum(sum) {
				side.whole = strings.ToLower(sum)
			}
		}
		if line == "" || line[0] == '#' {
			continue
		}
		sum, name, ok := strings.Cut(line, " ")
		// The second character is a space, or a star for binary mode.
		if ok && name != "" && (name[0] == ' ' || name[0] == '*') {
			name = name[1:]
		}
		if !ok || !isSum(sum) || name == "" || name != filepath.Base(name) {
			return nil, damage("the sidecar has an invalid line: %.80q", line)
		}
		if _, twice := side.sums[name]; twice {
			return nil, damage("the sidecar lists %.80q twice", name)
		}
		side.sums[name] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the sidecar: %w", err)
	}
	return side, nil
}

// isSum reports whether s is a SHA-256 in hex.
func isSum(s string) bool {
	decompressed, err := hex.DecodeString(s)
	return err == nil && len(decompressed) == sha256.Size
}
