package install

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// ErrNoArchive is that FindArchive finds none; other errors of it are not.
var ErrNoArchive = errors.New("there is no *.tar.zst beside this program or in this directory")

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
	return "", hint.With(fmt.Errorf("cannot find an archive: %w", ErrNoArchive), "--archive FILE names one")
}

// mostArchives is how many archives of one directory are told apart.
const mostArchives = 16

// archivesIn lists the archives in dir. Links are passed over: an archive that
// lies elsewhere can be named.
func archivesIn(dir string) ([]string, error) {
	d := media.At(dir)
	names, err := d.List(".", mostArchives, isArchive)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return nil, fmt.Errorf("cannot look for the archive: %w", err)
	}
	var found []string
	for _, name := range names {
		found = append(found, d.Join(name))
	}
	return found, nil
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.zst") || strings.HasSuffix(name, ".tar.zst.001")
}
