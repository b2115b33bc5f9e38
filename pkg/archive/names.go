package archive

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What the names of the files beside an archive end in. SignatureSuffix and
// OpenSSLSuffix follow the name of a file, of which volumes have several, the
// others the name that volumes have in common; see the package's comment.
const (
	SidecarSuffix        = ".sha256"
	IndexSignatureSuffix = ".index.minisig"
	SignatureSuffix      = ".minisig"
	OpenSSLSuffix        = ".sig"
	PublicKeySuffix      = ".pub"
	OpenSSLKeySuffix     = ".pem"
)

// removeSignatures removes the signatures, and keys, beside the archive at base
// and beside its volumes.
func removeSignatures(base string) error {
	dir := filepath.Dir(base)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	suffixes := []string{IndexSignatureSuffix, SignatureSuffix, OpenSSLSuffix, PublicKeySuffix, OpenSSLKeySuffix}
	for _, e := range entries {
		i := slices.IndexFunc(suffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) })
		if i < 0 {
			continue
		}
		if of, _ := splitVolume(strings.TrimSuffix(e.Name(), suffixes[i])); of == filepath.Base(base) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
