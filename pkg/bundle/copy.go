package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/store"
)

// copyInstaller puts the installer into dir, under its name with the
// architecture and as "install". Signatures of an earlier one are removed.
func copyInstaller(from, dir, arch string) ([]WrittenFile, error) {
	var written []WrittenFile
	for _, name := range []string{"install-linux-" + arch, "install"} {
		for _, suffix := range []string{archive.SignatureSuffix, archive.OpenSSLSuffix} {
			if err := os.Remove(filepath.Join(dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("cannot remove an old signature: %w", err)
			}
		}
		w, err := copyProgram(from, filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, store.Explain(err, dir, 0))
		}
		written = append(written, w)
	}
	return written, nil
}

// copyProgram copies an executable by a temporary name, fsync and rename.
func copyProgram(from, to string) (w WrittenFile, err error) {
	in, err := os.Open(from)
	if err != nil {
		return w, err
	}
	defer closeRead(in)
	out, err := os.CreateTemp(filepath.Dir(to), ".install-*.tmp")
	if err != nil {
		return w, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(out.Close()), os.Remove(out.Name()))
		}
	}()
	size, err := io.Copy(out, in)
	if err != nil {
		return w, err
	}
	const executable = 0o755
	if err := out.Chmod(executable); err != nil {
		return w, err
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return w, err
	}
	return WrittenFile{Path: to, Size: size}, os.Rename(out.Name(), to)
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
