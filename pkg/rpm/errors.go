package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"kubecrate/pkg/hint"
)

// Reasons why Verify and Check reject a package; errors.Is finds them in the
// returned error. Any other error is a read error.
var (
	// ErrUnsigned: the package has no signature.
	ErrUnsigned = errors.New("not signed")
	// ErrUntrustedKey: the package is signed, but not by a pinned key, or the
	// signature is not trusted (revoked or expired key, weak hash).
	ErrUntrustedKey = errors.New("not signed by a pinned key")
	// ErrCorrupt: the file is not an RPM or is truncated, or a digest or a
	// signature does not match.
	ErrCorrupt = errors.New("corrupt")
	// ErrUnsupported: the format, or a feature of it, is not supported. The file
	// may be intact.
	ErrUnsupported = errors.New("not supported")
)

// unsupported returns an ErrUnsupported with the cause.
func unsupported(format string, args ...any) error {
	err := fmt.Errorf("%w: %w", ErrUnsupported, fmt.Errorf(format, args...))
	return hint.With(err, "fetching it again does not help: use a build of the package for the platform of the manifest, made by rpm 4")
}

// corrupt returns an ErrCorrupt with the cause and a hint.
func corrupt(format string, args ...any) error {
	err := fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
	return hint.With(err, "fetch it again, from another baseurl if the error persists; compare with `rpm -Kv FILE`")
}

// readError distinguishes a truncated file, which is corrupt, from an error of the
// reader.
func readError(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("it is truncated in the %s: %w", what, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("cannot read the %s: %w", what, err)
}

// notRPM returns the error for a file that does not begin like an RPM. start is its
// first bytes.
func notRPM(start []byte) error {
	trimmed := bytes.TrimLeft(start, " \t\r\n\ufeff")
	switch {
	case len(start) == 0:
		return corrupt("the file is empty: %w", io.ErrUnexpectedEOF)
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return hint.With(fmt.Errorf("%w: it is a git-lfs pointer, not a package", ErrCorrupt),
			"run `git lfs pull` in the source repository, or fetch the package itself")
	case bytes.HasPrefix(trimmed, []byte("<")):
		return hint.With(fmt.Errorf("%w: it is a web page, not a package", ErrCorrupt),
			"open the URL in a browser: the mirror or a proxy answered with a page")
	case bytes.HasPrefix(start, []byte("drpm")):
		return hint.With(fmt.Errorf("%w: it is a delta RPM, not a complete package", ErrCorrupt),
			"name the repository with the complete packages")
	}
	return corrupt("not an RPM: it begins with %q", start[:min(len(start), 8)])
}
