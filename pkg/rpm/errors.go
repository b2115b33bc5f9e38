package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"kubecrate/pkg/hint"
)

// What Verify and Check refuse a package for; errors.Is finds them in what is
// returned. Any other error is one of reading.
var (
	// ErrUnsigned: there is no signature at all.
	ErrUnsigned = errors.New("not signed")
	// ErrUntrustedKey: it is signed, by none of the pinned keys, or in a way
	// that a pinned key does not vouch for (revoked, expired, weak hash).
	ErrUntrustedKey = errors.New("not signed by a pinned key")
	// ErrCorrupt: it is no RPM, it is cut off, or a digest or a signature does
	// not match what it covers.
	ErrCorrupt = errors.New("corrupt")
	// ErrUnsupported: it is in a format, or uses a feature of one, that is not
	// read here. It may be whole.
	ErrUnsupported = errors.New("not supported")
)

// unsupported is an ErrUnsupported that says what it is.
func unsupported(format string, args ...any) error {
	err := fmt.Errorf("%w: %w", ErrUnsupported, fmt.Errorf(format, args...))
	return hint.With(err, "it may be whole, fetching it again does not help: take a build of the package for the platform of the manifest, made by rpm 4")
}

// corrupt is an ErrCorrupt with the cause and what to do about it.
func corrupt(format string, args ...any) error {
	err := fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
	return hint.With(err, "fetch it again, from another baseurl if it stays so; `rpm -Kv FILE` shows rpm's own opinion")
}

// readError tells the end of the file, which is the file's fault, from an
// error of the reader, which is not.
func readError(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("it ends within the %s: %w", what, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("cannot read the %s: %w", what, err)
}

// notRPM says what a file that does not begin like an RPM is instead. start is
// its first bytes.
func notRPM(start []byte) error {
	trimmed := bytes.TrimLeft(start, " \t\r\n\ufeff")
	switch {
	case len(start) == 0:
		return corrupt("the file is empty: %w", io.ErrUnexpectedEOF)
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return hint.With(fmt.Errorf("%w: it is a git-lfs pointer, not the package it stands for", ErrCorrupt),
			"run `git lfs pull` where the file came from, or fetch the package itself")
	case bytes.HasPrefix(trimmed, []byte("<")):
		return hint.With(fmt.Errorf("%w: it is a web page, not a package", ErrCorrupt),
			"open the URL in a browser: the mirror or a proxy answered with a page")
	case bytes.HasPrefix(start, []byte("drpm")):
		return hint.With(fmt.Errorf("%w: it is a delta RPM, not a whole package", ErrCorrupt),
			"name the repository that holds the whole packages")
	}
	return corrupt("it is no RPM: it begins with %q", start[:min(len(start), 8)])
}
