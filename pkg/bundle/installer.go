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

// FindInstaller returns the installer for arch: path where it is given, else
// install-linux-ARCH or install beside this program. What it finds must be an
// executable for Linux on arch.
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
		"make dist builds it; --installer FILE names another")
}

func checkInstaller(path, arch string) (err error) {
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s", path)
	}
	if err != nil {
		return fmt.Errorf("%s is no Linux program: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if f.Machine != machines[arch] {
		return fmt.Errorf("%s is built for %s", path, f.Machine)
	}
	return nil
}
