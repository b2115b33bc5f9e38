// Package hostreport holds what each host leaves on the stick, and what the next
// one compares: its facts, what the installation made of it, signed by a key that
// the host made for itself. Nothing that goes wrong with a report stops an
// installation.
package hostreport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"kubecrate/manifest"
	"kubecrate/pkg/facts"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/media"
)

// Limits of what is read from a stick that went through many hands.
const (
	maxReport  = 1 << 20  // bytes; 3,000 packages are 150 kB
	maxReports = 1024     // files
	maxTotal   = 32 << 20 // bytes of all reports
	maxWord    = 253      // of a name that is printed, as that of a host
)

// Dir is the directory of the reports on the stick.
const Dir = "hosts"

// tailLength is how many digits of a hardware address a report's name has.
const tailLength = 6

// Report is what a host leaves on the stick: its facts beside what the
// installation made of it.
type Report struct {
	facts.Facts

	Result    *Result   `json:"result,omitempty"`
	Key       string    `json:"key,omitempty"`       // public, of this host; see Sign
	KeySince  time.Time `json:"keySince,omitzero"`   // when the key was made
	Signature string    `json:"signature,omitempty"` // of all else, see package signed

	path string // that it was read from, relative to the stick
}

// Result is what an installation made of a host. It holds no secret.
type Result struct {
	Bundle string        `json:"bundle"`
	Role   manifest.Role `json:"role"`
	Node   string        `json:"node"` // its name, which the host may get later
	Ready  bool          `json:"ready"`
	Says   string        `json:"says"` // one sentence
}

// Parse reads a report and checks its signature, where it has one; it wraps
// signed.ErrSignature where that does not fit. Keys that a later kubecrate has
// added are passed over.
func Parse(data []byte) (*Report, error) {
	if len(data) > maxReport {
		return nil, fmt.Errorf("it has over %d MB", maxReport>>20)
	}
	r, err := verified(data)
	if err != nil {
		return nil, err
	}
	if r.APIVersion != manifest.APIVersion || r.Kind != facts.Kind {
		return nil, fmt.Errorf("it is no sheet of a host: want apiVersion %s and kind %s", manifest.APIVersion, facts.Kind)
	}
	if !isName(r.Hostname) || r.Result != nil && !isName(r.Result.Node) {
		return nil, errors.New("it is no sheet of a host: its hostname is none")
	}
	if err := r.bounded(); err != nil {
		return nil, err
	}
	return r, nil
}

// isName says whether s can be printed as the name of a host.
func isName(s string) bool {
	return s != "" && len(s) <= maxWord && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// Marshal is r as it stands in its file.
func (r *Report) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the facts: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadAll reads every report in the directory of reports on the stick, in the
// order of their names and without their packages; a missing directory has none.
// What cannot be read, or whose signature does not fit, is left out, and bad says
// why; so is what is over a limit of the whole directory.
func ReadAll(stick media.Dir) (list []*Report, bad []error) {
	names, err := files(stick, func(string) bool { return true })
	if err != nil {
		bad = append(bad, err)
	}
	total := 0
	for i, name := range names {
		r, size, err := read(stick, name)
		if total += size; total > maxTotal {
			return list, append(bad, hint.With(fmt.Errorf("%s has over %d MB of sheets: %d of them are not read", stick.Join(Dir), maxTotal>>20, len(names)-i),
				"remove those of hosts that are gone: %s", hint.Command("ls", "-l", stick.Join(Dir))))
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("cannot read %s: %w", stick.Join(name), err))
			continue
		}
		r.Packages, r.path = nil, name
		list = append(list, r)
	}
	return list, bad
}

// files are the names of the reports that want takes, relative to the stick. The
// error may come with names: those that are read in spite of it.
func files(stick media.Dir, want func(name string) bool) ([]string, error) {
	names, err := stick.List(Dir, maxReports, func(name string) bool {
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
		names[i] = path.Join(Dir, name)
	}
	return names, err
}

// read reads one report; size is that of the file.
func read(stick media.Dir, name string) (r *Report, size int, err error) {
	data, err := stick.ReadFile(name, maxReport)
	if err != nil {
		return nil, 0, err
	}
	r, err = Parse(data)
	return r, len(data), err
}

// Write writes r to the stick and returns its name there: HOSTNAME-MAC.json,
// so that two hosts of one name do not overwrite each other. What this machine
// left there under another name is removed. The report is whole or not there.
func (r *Report) Write(stick media.Dir) (string, error) {
	const mode = 0o644
	data, err := r.Marshal()
	if err != nil {
		return "", err
	}
	name := path.Join(Dir, fileName(&r.Facts))
	if err := stick.Write(name, data, mode); err != nil {
		return "", fmt.Errorf("cannot write %s: %w", stick.Join(name), err)
	}
	return name, remove(&r.Facts, stick, name)
}

// Remove removes what the machine of f left on the stick, and the directory of
// the reports where nothing else is in it.
func Remove(f *facts.Facts, stick media.Dir) error {
	err := remove(f, stick, "")
	if err == nil {
		err = stick.RemoveEmpty(Dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the facts of this host: %w", err)
	}
	return nil
}

// remove removes the reports of f's machine but for the one called except. They
// are known by their names' ends, so that not every report is read again.
func remove(f *facts.Facts, stick media.Dir, except string) error {
	ends := []string{fileName(f)}
	for _, mac := range f.MACs() {
		ends = append(ends, tail(mac)+".json")
	}
	mine := func(name string) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
	}
	old, err := files(stick, mine)
	if err != nil && !errors.Is(err, media.ErrTooMany) {
		return err
	}
	for _, name := range old {
		o, _, err := read(stick, name)
		if err != nil || name == except || !f.Same(&o.Facts) {
			continue
		}
		if err := stick.Remove(name); err != nil {
			return fmt.Errorf("cannot remove the older facts of this host: %w", err)
		}
	}
	return nil
}

// fileName is one that FAT takes too.
func fileName(f *facts.Facts) string {
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

// tail is the end of a hardware address that a report's name has.
func tail(mac string) string {
	mac = strings.ReplaceAll(mac, ":", "")
	return "-" + mac[max(0, len(mac)-tailLength):]
}
