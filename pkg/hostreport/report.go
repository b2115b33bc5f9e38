// Package hostreport reads and writes host reports: each host writes its facts and
// the result of its installation to the stick, signed with its own key, and the
// next host compares itself with them. Problems with a report never stop an
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

// Limits of what is read from an untrusted stick.
const (
	maxReport  = 1 << 20  // bytes; 3,000 packages are 150 kB
	maxReports = 1024     // files
	maxTotal   = 32 << 20 // bytes of all reports
	maxWord    = 253      // bytes of a name that is printed, such as a host's
)

// Dir is the directory of the reports on the stick.
const Dir = "hosts"

// tailLength is the number of MAC address digits in a report's file name.
const tailLength = 6

// Report is a host's report: its facts and the result of the installation.
type Report struct {
	facts.Facts

	Result    *Result   `json:"result,omitempty"`
	Key       string    `json:"key,omitempty"`       // the host's public key; see Sign
	KeySince  time.Time `json:"keySince,omitzero"`   // when the key was made
	Signature string    `json:"signature,omitempty"` // of everything else, see package signed

	path string // where it was read from, relative to the stick
}

// Result is the result of an installation. It contains no secrets.
type Result struct {
	Bundle string        `json:"bundle"`
	Role   manifest.Role `json:"role"`
	Node   string        `json:"node"` // the node name, which may not be set yet
	Ready  bool          `json:"ready"`
	Says   string        `json:"says"` // one sentence
}

// Parse reads a report and verifies its signature, if it has one; the error for an
// invalid signature wraps signed.ErrSignature. Unknown keys of later versions are
// ignored.
func Parse(data []byte) (*Report, error) {
	if len(data) > maxReport {
		return nil, fmt.Errorf("it is larger than %d MB", maxReport>>20)
	}
	r, err := verified(data)
	if err != nil {
		return nil, err
	}
	if r.APIVersion != manifest.APIVersion || r.Kind != facts.Kind {
		return nil, fmt.Errorf("not a host report: want apiVersion %s and kind %s", manifest.APIVersion, facts.Kind)
	}
	if !isName(r.Hostname) || r.Result != nil && !isName(r.Result.Node) {
		return nil, errors.New("not a host report: invalid hostname")
	}
	if err := r.bounded(); err != nil {
		return nil, err
	}
	return r, nil
}

// isName reports whether s is printable as the name of a host.
func isName(s string) bool {
	return s != "" && len(s) <= maxWord && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// Marshal returns r as written to its file.
func (r *Report) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the host report: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadAll reads every report on the stick, in order of names and without packages; a
// missing directory has none. Reports that cannot be read, have an invalid signature
// or exceed the limits of the directory are skipped, and bad says why.
func ReadAll(stick media.Dir) (list []*Report, bad []error) {
	names, err := files(stick, func(string) bool { return true })
	if err != nil {
		bad = append(bad, err)
	}
	total := 0
	for i, name := range names {
		r, size, err := read(stick, name)
		if total += size; total > maxTotal {
			return list, append(bad, hint.With(fmt.Errorf("%s contains over %d MB of host reports: the last %d are ignored", stick.Join(Dir), maxTotal>>20, len(names)-i),
				"remove those of hosts that no longer exist: %s", hint.Command("ls", "-l", stick.Join(Dir))))
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

// files returns the names of the reports that want selects, relative to the stick.
// With an error it may still return names, which are read.
func files(stick media.Dir, want func(name string) bool) ([]string, error) {
	names, err := stick.List(Dir, maxReports, func(name string) bool {
		plain := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 0x7f })
		return plain && strings.HasSuffix(name, ".json") && want(name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		err = fmt.Errorf("cannot list the host reports: %w", err)
	}
	for i, name := range names {
		names[i] = path.Join(Dir, name)
	}
	return names, err
}

// read reads one report; size is the size of the file.
func read(stick media.Dir, name string) (r *Report, size int, err error) {
	data, err := stick.ReadFile(name, maxReport)
	if err != nil {
		return nil, 0, err
	}
	r, err = Parse(data)
	return r, len(data), err
}

// Write atomically writes r to the stick and returns its name there:
// HOSTNAME-MAC.json, so that two hosts with the same name do not overwrite each
// other. Reports of this machine under other names are removed.
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

// Remove removes the reports of the machine of f from the stick, and their directory
// if it is empty.
func Remove(f *facts.Facts, stick media.Dir) error {
	err := remove(f, stick, "")
	if err == nil {
		err = stick.RemoveEmpty(Dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove this host's report: %w", err)
	}
	return nil
}

// remove removes the reports of f's machine except the one named except. It selects
// them by the end of their names, to avoid reading every report again.
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
			return fmt.Errorf("cannot remove this host's earlier report: %w", err)
		}
	}
	return nil
}

// fileName returns a name that is also valid on FAT.
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

// tail returns the end of a MAC address as used in a report's file name.
func tail(mac string) string {
	mac = strings.ReplaceAll(mac, ":", "")
	return "-" + mac[max(0, len(mac)-tailLength):]
}
