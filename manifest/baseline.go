package manifest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/signed"
)

// maxBaseline is the largest baseline that is read, in bytes; a full desktop
// has some 3,000 packages of 50 bytes, and the rest of a sheet is small.
const maxBaseline = 1 << 20

// BaselineNames lists the embedded baselines.
func BaselineNames() []string { return names("baseline", ".txt") }

// Baseline reads what the targets have installed: of one, or of several with
// commas between. Each is an embedded list by its name, or a file relative to
// dir: one NEVRA a line as `rpm -qa` prints them (with or without epoch; # begins
// a comment, gpg-pubkey entries are left out), or a host's sheet, JSON that install
// left on the stick. One bundle serves all hosts: of several, a package counts as
// installed where every host has it, in the lowest version that is among them.
//
// It returns the NEVRAs and a sha256 in hex: of the text of a single list, else
// of what was read. A sheet's time and addresses are not in it. Of NoBaseline and
// "" it gives nothing and NoBaseline.
func Baseline(namesOrPaths, dir string) (nevras []string, digest string, err error) {
	if namesOrPaths == "" || namesOrPaths == NoBaseline {
		return nil, NoBaseline, nil
	}
	var lists [][]string
	for _, name := range baselineParts(namesOrPaths) {
		text, err := baselineText(name, dir)
		if err != nil {
			return nil, "", err
		}
		read := readList
		isSheet := strings.HasPrefix(strings.TrimSpace(string(text)), "{")
		if isSheet {
			read = readSheet
		}
		list, err := read(name, text)
		if err != nil {
			return nil, "", err
		}
		if name == namesOrPaths && !isSheet {
			sum := sha256.Sum256(text)
			return list, hex.EncodeToString(sum[:]), nil
		}
		lists = append(lists, list)
	}
	if nevras, err = common(lists); err != nil {
		return nil, "", fmt.Errorf("cannot read the baseline %s: %w", namesOrPaths, err)
	}
	sum := sha256.Sum256([]byte(strings.Join(nevras, "\n") + "\n"))
	return nevras, hex.EncodeToString(sum[:]), nil
}

// baselineParts are the names in packages.baseline.
func baselineParts(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// mapBaseline changes every file in packages.baseline by f.
func mapBaseline(s string, f func(string) string) string {
	parts := baselineParts(s)
	for i, p := range parts {
		if p != "" && p != NoBaseline && !slices.Contains(BaselineNames(), p) {
			parts[i] = f(p)
		}
	}
	return strings.Join(parts, ",")
}

// readList reads one NEVRA a line.
func readList(name string, text []byte) (nevras []string, err error) {
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for line := 1; scanner.Scan(); line++ {
		word, _, _ := strings.Cut(scanner.Text(), "#")
		word = strings.TrimSpace(word)
		switch {
		case word == "" || strings.HasPrefix(word, "gpg-pubkey-"):
		case !isNEVRA(word):
			return nil, hint.With(fmt.Errorf("%s:%d: %q is no NEVRA: want name-[epoch:]version-release.arch", name, line, word),
				"on the host, ./install inventory --baseline >FILE writes such a list; so does rpm -qa --qf '%%{NAME}-%%{EPOCHNUM}:%%{VERSION}-%%{RELEASE}.%%{ARCH}\\n'")
		default:
			nevras = append(nevras, word)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the baseline %s: %w", name, err)
	}
	return nevras, nil
}

// readSheet reads the packages of a host's sheet, as package facts writes it.
func readSheet(name string, text []byte) ([]string, error) {
	o, err := signed.Open(text)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: %w", name, err), sheetHint)
	}
	var sheet struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Packages   []string `json:"packages"`
	}
	if err := json.Unmarshal(o.Body, &sheet); err != nil || sheet.APIVersion != APIVersion || sheet.Kind != "Facts" {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: it is no sheet of a host: want apiVersion %s and kind Facts", name, APIVersion), sheetHint)
	}
	if len(sheet.Packages) == 0 {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: the sheet has no packages", name), sheetHint)
	}
	for i, p := range sheet.Packages {
		if !isNEVRA(p) {
			return nil, hint.With(fmt.Errorf("cannot read the baseline %s: its package %d, %q, is no NEVRA", name, i+1, p), sheetHint)
		}
	}
	return sheet.Packages, nil
}

const sheetHint = "on the host, ./install inventory --baseline >FILE writes the list of its packages"

// common are the packages that every list has, sorted: a single list as it is;
// of several, for each name and architecture the lowest of the newest versions.
func common(lists [][]string) ([]string, error) {
	if len(lists) == 1 {
		return slices.Compact(slices.Sorted(slices.Values(lists[0]))), nil
	}
	var lowest map[string]nevra.NEVRA
	for _, list := range lists {
		newest := map[string]nevra.NEVRA{}
		for _, text := range list {
			n, err := nevra.Parse(text)
			if err != nil {
				return nil, err
			}
			key := n.Name + "." + n.Arch
			if old, ok := newest[key]; !ok || n.Compare(old.EVR) > 0 {
				newest[key] = n
			}
		}
		for key, n := range lowest {
			if here, ok := newest[key]; !ok {
				delete(lowest, key)
			} else if here.Compare(n.EVR) < 0 {
				lowest[key] = here
			}
		}
		if lowest == nil {
			lowest = newest
		}
	}
	var nevras []string
	for _, n := range lowest {
		nevras = append(nevras, n.String())
	}
	slices.Sort(nevras)
	return nevras, nil
}

func baselineText(nameOrPath, dir string) ([]byte, error) {
	if slices.Contains(BaselineNames(), nameOrPath) {
		return data.ReadFile("baseline/" + nameOrPath + ".txt")
	}
	name := nameOrPath
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, filepath.FromSlash(name))
	}
	text, err := readFile(name, maxBaseline)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read the baseline: %w", err),
			"embedded ones are %s; %s takes the target as empty", strings.Join(BaselineNames(), ", "), NoBaseline)
	}
	return text, nil
}

// isNEVRA says whether s is one whole NEVRA.
func isNEVRA(s string) bool {
	_, err := nevra.Parse(s)
	return err == nil
}
