package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// Limits of what is read from a stick that went through many hands.
const (
	maxSheet  = 1 << 20  // bytes; 3,000 packages are 150 kB
	maxSheets = 1024     // files
	maxTotal  = 32 << 20 // bytes of all sheets
	maxWord   = 253      // of a name that is printed, as that of a host
)

// SheetsDir is the directory of the sheets on the stick.
const SheetsDir = "hosts"

// tailLength is how many digits of a hardware address a sheet's name has.
const tailLength = 6

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
	if err := f.bounded(); err != nil {
		return nil, err
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

// ReadSheets reads every sheet in the directory of sheets on the stick, in the
// order of their names and without their packages; a missing directory has none.
// What cannot be read, or whose signature does not fit, is left out, and bad says
// why; so is what is over a limit of the whole directory.
func ReadSheets(stick media.Dir) (list []*Facts, bad []error) {
	names, err := sheets(stick, func(string) bool { return true })
	if err != nil {
		bad = append(bad, err)
	}
	total := 0
	for i, name := range names {
		f, size, err := readSheet(stick, name)
		if total += size; total > maxTotal {
			return list, append(bad, hint.With(fmt.Errorf("%s has over %d MB of sheets: %d of them are not read", stick.Join(SheetsDir), maxTotal>>20, len(names)-i),
				"remove those of hosts that are gone: %s", hint.Command("ls", "-l", stick.Join(SheetsDir))))
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("cannot read %s: %w", stick.Join(name), err))
			continue
		}
		f.Packages, f.path = nil, name
		list = append(list, f)
	}
	return list, bad
}

// sheets are the names of the sheets that want takes, relative to the stick. The
// error may come with names: those that are read in spite of it.
func sheets(stick media.Dir, want func(name string) bool) ([]string, error) {
	names, err := stick.List(SheetsDir, maxSheets, func(name string) bool {
		plain := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f })
		return plain && strings.HasSuffix(name, ".json") && want(name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		err = fmt.Errorf("cannot look for sheets of hosts: %w", err)
	}
	for i, name := range names {
		names[i] = path.Join(SheetsDir, name)
	}
	return names, err
}

// readSheet reads one sheet; size is that of the file.
func readSheet(stick media.Dir, name string) (f *Facts, size int, err error) {
	data, err := stick.ReadFile(name, maxSheet)
	if err != nil {
		return nil, 0, err
	}
	f, err = Parse(data)
	return f, len(data), err
}

// Save writes f to a sheet on the stick and returns its name there: HOSTNAME-MAC.json,
// so that two hosts of one name do not overwrite each other. What this machine
// left there under another name is removed. The sheet is whole or not there.
func (f *Facts) Save(stick media.Dir) (string, error) {
	const mode = 0o644
	data, err := f.Marshal()
	if err != nil {
		return "", err
	}
	name := path.Join(SheetsDir, f.fileName())
	if err := stick.Write(name, data, mode); err != nil {
		return "", fmt.Errorf("cannot write %s: %w", stick.Join(name), err)
	}
	return name, f.remove(stick, name)
}

// Withdraw removes what this machine left on the stick, and the directory of the
// sheets where nothing else is in it.
func (f *Facts) Withdraw(stick media.Dir) error {
	err := f.remove(stick, "")
	if err == nil {
		err = stick.RemoveEmpty(SheetsDir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the facts of this host: %w", err)
	}
	return nil
}

// remove removes the sheets of this machine but for the one called keep. They
// are known by their names' ends, so that not every sheet is read again.
func (f *Facts) remove(stick media.Dir, keep string) error {
	ends := []string{f.fileName()}
	for _, mac := range f.MACs() {
		ends = append(ends, tail(mac)+".json")
	}
	mine := func(name string) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
	}
	old, err := sheets(stick, mine)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return err
	}
	for _, name := range old {
		o, _, err := readSheet(stick, name)
		if err != nil || name == keep || !f.Same(o) {
			continue
		}
		if err := stick.Remove(name); err != nil {
			return fmt.Errorf("cannot remove the older facts of this host: %w", err)
		}
	}
	return nil
}

// fileName is one that FAT takes too.
func (f *Facts) fileName() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(f.Hostname))
	name = strings.TrimLeft(name[:min(len(name), maxWord-len("-.json")-tailLength)], ".")
	if macs := f.MACs(); len(macs) > 0 {
		name += tail(slices.Min(macs))
	}
	return name + ".json"
}

// tail is the end of a hardware address that a sheet's name has.
func tail(mac string) string {
	mac = strings.ReplaceAll(mac, ":", "")
	return "-" + mac[max(0, len(mac)-tailLength):]
}
