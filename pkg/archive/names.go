package archive

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Suffixes of the files beside an archive. SignatureSuffix and OpenSSLSuffix follow
// the name of a file, so each volume has its own; the others follow the name that
// all volumes share. See the package's comment.
const (
	SidecarSuffix        = ".sha256"
	IndexSignatureSuffix = ".index.minisig"
	SignatureSuffix      = ".minisig"
	OpenSSLSuffix        = ".sig"
	PublicKeySuffix      = ".pub"
	OpenSSLKeySuffix     = ".pem"
)

// ProgramName is the name of the installer beside an archive, and the prefix of
// the installers for other architectures.
const ProgramName = "install"

// programMember is the path prefix of installers in an archive, and programFor the
// name prefix of those beside it.
const (
	programMember = "bin/"
	programFor    = ProgramName + "-linux-"
)

// IsProgram reports whether name is that of an installer beside an archive.
func IsProgram(name string) bool {
	arch, ok := strings.CutPrefix(name, programFor)
	return name == ProgramName || ok && arch != "" && strings.Trim(arch, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// ProgramMember is the path of the installer called name in an archive for arch.
func ProgramMember(name, arch string) string {
	if name == ProgramName {
		name = programFor + arch
	}
	return programMember + name
}

// removeSignatures removes the signatures and keys of the files names in dir, and
// of their volumes.
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
