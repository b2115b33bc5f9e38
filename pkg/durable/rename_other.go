//go:build unix && !linux

package durable

import (
	"errors"
	"os"
)

func renameExclusive(*os.File, string, string) error { return errors.ErrUnsupported }
