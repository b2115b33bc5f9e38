package bundle

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kubecrate/pkg/hint"
)

// FindInstaller returns the installer for arch: path if it is given, otherwise
// install-linux-ARCH or install next to this program. It must be an executable for
// Linux on arch.
func FindInstaller(path, arch string) (string, error) {
	candidates := []string{path}
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("cannot look for the installer: %w", err)
		}
		dir := filepath.Dir(self)
		candidates = []string{filepath.Join(dir, "install-linux-"+arch), filepath.Join(dir, "install")}
	}
	var failures []error
	for _, c := range candidates {
		err := checkInstaller(c, arch)
		if err == nil {
			return c, nil
		}
		failures = append(failures, err)
	}
	return "", hint.With(fmt.Errorf("cannot find the installer for linux/%s: %w", arch, errors.Join(failures...)),
		"to build it: make dist; to use another: --installer FILE")
}

func checkInstaller(path, arch string) (err error) {
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist", path)
	}
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if f.Machine != machines[arch] {
		return fmt.Errorf("%s is built for %s", path, f.Machine)
	}
	return nil
}
