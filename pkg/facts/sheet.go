package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/durable"
)

// Limits of what is read from a stick that went through many hands.
const (
	maxSheet  = 1 << 20 // bytes; 3,000 packages are 150 kB
	maxSheets = 4096
	maxWord   = 253 // of a name that is printed, as that of a host
)

// Parse reads a sheet and checks its signature, where it has one; it wraps
// signed.ErrSignature where that does not fit. Keys that a later kubecrate has
// added are passed over.
func Parse(data []byte) (*Facts, error) {
	if len(data) > maxSheet {
		return nil, fmt.Errorf("it has over %d MB", maxSheet>>20)
	}
	f, err := verified(data)
	if err != nil {
		return nil, err
	}
	if f.APIVersion != manifest.APIVersion || f.Kind != Kind {
		return nil, fmt.Errorf("it is no sheet of a host: want apiVersion %s and kind %s", manifest.APIVersion, Kind)
	}
	if !isName(f.Hostname) || f.Result != nil && !isName(f.Result.Node) {
		return nil, errors.New("it is no sheet of a host: its hostname is none")
	}
	return f, nil
}

// isName says whether s can be printed as the name of a host.
func isName(s string) bool {
	return s != "" && len(s) <= maxWord && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// Marshal is f as a sheet.
func (f *Facts) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the facts: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadSheets reads every sheet in dir, a directory of this machine, in the
// order of their names and without their packages; a missing directory has none.
// The error joins those of the sheets that cannot be read, or whose signature
// does not fit: they are left out, and the others are returned all the same.
func ReadSheets(dir string) ([]*Facts, error) {
	paths, err := sheets(dir)
	if err != nil {
		return nil, err
	}
	var list []*Facts
	var bad []error
	for _, path := range paths {
		f, err := readSheet(path)
		if err != nil {
			bad = append(bad, fmt.Errorf("cannot read %s: %w", path, err))
			continue
		}
		f.Packages, f.path = nil, path
		list = append(list, f)
	}
	return list, errors.Join(bad...)
}

func sheets(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for sheets of hosts: %w", err)
	}
	var paths []string
	for _, e := range entries {
		// A name with a dot first is that of another system's helper, ._node1.json.
		name := e.Name()
		plain := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f })
		if strings.HasSuffix(name, ".json") && name[0] != '.' && plain && e.Type().IsRegular() && len(paths) < maxSheets {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}

func readSheet(path string) (f *Facts, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, maxSheet+1))
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Save writes f to a sheet in dir and returns its path: HOSTNAME-MAC.json, so
// that two hosts of one name do not overwrite each other. What this machine left
// there under another name is removed. The sheet is whole or not there.
func (f *Facts) Save(dir string) (string, error) {
	data, err := f.Marshal()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, f.fileName())
	if err := save(path, data); err != nil {
		return "", fmt.Errorf("cannot leave the facts of this host in %s: %w", dir, err)
	}
	return path, f.remove(dir, path)
}

// Withdraw removes what this machine left in dir, and dir itself where nothing
// else is in it.
func (f *Facts) Withdraw(dir string) error {
	if err := f.remove(dir, ""); err != nil {
		return err
	}
	left, err := os.ReadDir(dir)
	if err == nil && len(left) == 0 {
		err = os.Remove(dir)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the facts of this host: %w", err)
	}
	return nil
}

// remove removes the sheets of this machine in dir but for the one at keep.
func (f *Facts) remove(dir, keep string) error {
	old, err := sheets(dir)
	if err != nil {
		return err
	}
	for _, p := range old {
		o, err := readSheet(p)
		if err != nil || p == keep || !f.Same(o) {
			continue
		}
		if err := os.Remove(p); err != nil {
			return fmt.Errorf("cannot remove the older facts of this host: %w", err)
		}
	}
	return nil
}

// fileName is one that FAT takes too.
func (f *Facts) fileName() string {
	const tail = 6
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(f.Hostname))
	name = strings.TrimLeft(name[:min(len(name), maxWord-len("-.json")-tail)], ".")
	macs := f.MACs()
	if len(macs) > 0 {
		mac := strings.ReplaceAll(slices.Min(macs), ":", "")
		name += "-" + mac[max(0, len(mac)-tail):]
	}
	return name + ".json"
}

func save(path string, data []byte) (err error) {
	const dirMode, fileMode = 0o755, 0o644
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	temp := path + ".new"
	// Never through a link that somebody laid on the stick.
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return durable.SyncDir(dir)
}
