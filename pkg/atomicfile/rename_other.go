//go:build unix && !linux

package atomicfile

import (
	"errors"
	"os"
)

func renameExclusive(*os.File, string, string) error { return errors.ErrUnsupported }
