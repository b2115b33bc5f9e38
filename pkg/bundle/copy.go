package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"kubecrate/pkg/archive"
	"kubecrate/pkg/durable"
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

// copyProgram copies an executable.
func copyProgram(from, to string) (w WrittenFile, err error) {
	const executable = 0o755
	in, err := os.Open(from)
	if err != nil {
		return w, err
	}
	defer closeRead(in)
	out, err := durable.Create(to, executable)
	if err != nil {
		return w, err
	}
	size, err := io.Copy(out, in)
	if err != nil {
		return w, errors.Join(err, out.Abort())
	}
	return WrittenFile{Path: to, Size: size}, out.Commit()
}
