package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"kubecrate/pkg/media"
)

// sidecarText is a line "HEX  NAME" for every file. sha256sum -c passes over
// lines that start with #: with volumes, the first one is the hash of all of
// them put together.
func sidecarText(name string, w *Written) string {
	var b strings.Builder
	if len(w.Files) > 1 {
		fmt.Fprintf(&b, "# %s  %s, which is: cat %s.???\n", w.SHA256, name, name)
	}
	for _, f := range w.Files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, filepath.Base(f.Path))
	}
	return b.String()
}

// CheckSidecar compares the archive at path, or its volumes, with its sidecar,
// reading all of it. It returns false where there is no sidecar. A file that
// differs, or that only one of the two knows, gives a *DamageError.
func CheckSidecar(ctx context.Context, path string) (bool, error) {
	base, files, err := filesOf(path)
	if err != nil {
		return false, fmt.Errorf("cannot check %s: %w", path, err)
	}
	sums, err := readSidecar(base + SidecarSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = compareSidecar(ctx, files, sums)
	}
	if err != nil {
		return true, fmt.Errorf("cannot trust %s: %w", path, hinted(err))
	}
	return true, nil
}

func compareSidecar(ctx context.Context, files []media.File, sums map[string]string) error {
	there := map[string]bool{}
	for _, f := range files {
		name := filepath.Base(f.Path())
		there[name] = true
		want, ok := sums[name]
		if !ok {
			return damage("the sidecar does not know %s", name)
		}
		got, err := hashFile(ctx, f)
		if err != nil {
			return err
		}
		if got != want {
			return damage("%s has SHA-256 %s, the sidecar says %s", name, got, want)
		}
	}
	for name := range sums {
		if !there[name] {
			return damage("%s is missing, which the sidecar lists", name)
		}
	}
	return nil
}

// maxSidecar is in bytes: maxVolumes lines.
const maxSidecar = 256 << 10

// readSidecar reads the lines of a sidecar; names lie beside it.
func readSidecar(path string) (map[string]string, error) {
	text, err := media.At(filepath.Dir(path)).ReadFile(filepath.Base(path), maxSidecar)
	if err != nil {
		return nil, err
	}
	return parseSidecar(bytes.NewReader(text))
}

func parseSidecar(r io.Reader) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		sum, name, ok := strings.Cut(line, " ")
		// The second character is a space, or a star for binary mode.
		if ok && name != "" && (name[0] == ' ' || name[0] == '*') {
			name = name[1:]
		}
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || name == "" || name != filepath.Base(name) {
			return nil, damage("the sidecar has a line that is not of sha256sum: %.80q", line)
		}
		sums[name] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the sidecar: %w", err)
	}
	return sums, nil
}

// hashFile is the SHA-256 of a file.
func hashFile(ctx context.Context, file media.File) (sum string, err error) {
	f, err := file.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read from
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		n, err := readFull(ctx, f, buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
