package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kubecrate/pkg/hint"
)

// FindArchive returns the one archive that stands beside this program, or else
// in the working directory. Volumes count as one.
func FindArchive() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot look for the archive: %w", err)
	}
	for _, dir := range []string{filepath.Dir(self), "."} {
		found, err := archivesIn(dir)
		if err != nil {
			return "", err
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		return "", hint.With(fmt.Errorf("cannot choose an archive: %s holds %s", dir, strings.Join(found, ", ")), "--archive FILE names one")
	}
	return "", hint.With(fmt.Errorf("cannot find an archive: there is no *.tar.zst beside this program or in this directory"), "--archive FILE names one")
}

func archivesIn(dir string) ([]string, error) {
	var found []string
	for _, pattern := range []string{"*.tar.zst", "*.tar.zst.001"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("cannot look for the archive: %w", err)
		}
		found = append(found, paths...)
	}
	return found, nil
}
