//go:build !linux

package host

import (
	"errors"
	"os"
)

// attributes are Linux's alone; bundle, which links this package, runs elsewhere too.
func attributes(*os.File) (int, error) { return 0, errors.ErrUnsupported }
