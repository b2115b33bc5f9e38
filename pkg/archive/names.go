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

// ProgramName is what the installer beside an archive is called, and begins the
// names of those for other architectures.
const ProgramName = "install"

// programMember begins the paths of members that are installers, and programFor
// the names of those beside an archive.
const (
	programMember = "bin/"
	programFor    = ProgramName + "-linux-"
)

// IsProgram says whether a file beside an archive is an installer by its name.
func IsProgram(name string) bool {
	arch, ok := strings.CutPrefix(name, programFor)
	return name == ProgramName || ok && arch != "" && strings.Trim(arch, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// ProgramMember is the path of the member that the installer called name is in
// an archive for arch.
func ProgramMember(name, arch string) string {
	if name == ProgramName {
		name = programFor + arch
	}
	return programMember + name
}

// removeSignatures removes the signatures, and keys, beside the files of dir, or
// beside their volumes, that are called names.
func removeSignatures(dir string, names []string) error {
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
		of, _ := splitVolume(strings.TrimSuffix(e.Name(), suffixes[i]))
		if slices.Contains(names, of) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
