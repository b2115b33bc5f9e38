package atomicfile

import (
	"errors"
	"io/fs"
	"os"
)

const (
	noFollow = 0
	// noDirectorySync: directories cannot be flushed here.
	noDirectorySync = true
)

func lock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func ownedByUs(fs.FileInfo) bool { return true }

func renameExclusive(*os.File, string, string) error { return errors.ErrUnsupported }
