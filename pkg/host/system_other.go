//go:build !linux

package host

import (
	"errors"
	"os"
)

// attributes exist only on Linux; bundle, which links this package, also runs elsewhere.
func attributes(*os.File) (int, error) { return 0, errors.ErrUnsupported }

// parseMount parses nothing: mountinfo exists only on Linux.
func parseMount(string) (Mount, bool) { return Mount{}, false }
