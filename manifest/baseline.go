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
	"kubecrate/pkg/signedjson"
)

// maxBaseline limits the size of a baseline, in bytes: a full desktop has some
// 3,000 packages of 50 bytes, and the rest of a host report is small.
const maxBaseline = 1 << 20

// BaselineNames lists the embedded baselines.
func BaselineNames() []string { return names("baseline", ".txt") }

// Baseline reads the packages that the targets have installed: one list, or several
// separated by commas. Each is an embedded list by its name, or a file relative to
// dir: one NEVRA a line as `rpm -qa` prints them (with or without epoch; # begins
// a comment, gpg-pubkey entries are ignored), or a host report, the JSON that install
// writes to the stick. One bundle serves all hosts: of several lists, a package
// counts as installed if every host has it, in the lowest version found.
//
// It returns the NEVRAs and a sha256 in hex: of the text of a single list, otherwise
// of the NEVRAs, so a host report's time and addresses do not count. For NoBaseline
// and "" it returns no NEVRAs and NoBaseline.
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
		isReport := strings.HasPrefix(strings.TrimSpace(string(text)), "{")
		if isReport {
			read = readHostReport
		}
		list, err := read(name, text)
		if err != nil {
			return nil, "", err
		}
		if name == namesOrPaths && !isReport {
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

// mapBaseline applies f to every file in packages.baseline.
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
			return nil, hint.With(fmt.Errorf("%s:%d: %q is not a NEVRA: want name-[epoch:]version-release.arch", name, line, word),
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

// readHostReport reads the packages of a host report, as package hostreport writes it.
func readHostReport(name string, text []byte) ([]string, error) {
	o, err := signedjson.Open(text)
	if err != nil {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: %w", name, err), reportHint)
	}
	var report struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Packages   []string `json:"packages"`
	}
	if err := json.Unmarshal(o.Body, &report); err != nil || report.APIVersion != APIVersion || report.Kind != "Facts" {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: not a host report: want apiVersion %s and kind Facts", name, APIVersion), reportHint)
	}
	if len(report.Packages) == 0 {
		return nil, hint.With(fmt.Errorf("cannot read the baseline %s: the host report has no packages", name), reportHint)
	}
	for i, p := range report.Packages {
		if !isNEVRA(p) {
			return nil, hint.With(fmt.Errorf("cannot read the baseline %s: package %d, %q, is not a NEVRA", name, i+1, p), reportHint)
		}
	}
	return report.Packages, nil
}

const reportHint = "on the host, ./install inventory --baseline >FILE writes the list of its packages"

// common returns the packages that every list has, sorted. Of several lists it
// returns, for each name and architecture, the lowest of their newest versions.
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
			"embedded baselines: %s; %s stands for a host without packages", strings.Join(BaselineNames(), ", "), NoBaseline)
	}
	return text, nil
}

// isNEVRA reports whether s is a full NEVRA.
func isNEVRA(s string) bool {
	_, err := nevra.Parse(s)
	return err == nil
}
