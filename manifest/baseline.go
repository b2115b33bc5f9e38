package manifest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
)

// maxBaseline is the largest baseline that is read, in bytes; a full desktop
// has some 3,000 packages of 50 bytes.
const maxBaseline = 1 << 20

// BaselineNames lists the embedded baselines.
func BaselineNames() []string { return names("baseline", ".txt") }

// Baseline reads what a target has installed: an embedded list by its name, or
// a file relative to dir, with one NEVRA a line as `rpm -qa` prints them (with
// or without epoch; # begins a comment, gpg-pubkey entries are left out). It
// returns the NEVRAs and the sha256 of the text in hex; of NoBaseline and ""
// nothing and NoBaseline.
func Baseline(nameOrPath, dir string) (nevras []string, digest string, err error) {
	if nameOrPath == "" || nameOrPath == NoBaseline {
		return nil, NoBaseline, nil
	}
	text, err := baselineText(nameOrPath, dir)
	if err != nil {
		return nil, "", err
	}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for line := 1; scanner.Scan(); line++ {
		word, _, _ := strings.Cut(scanner.Text(), "#")
		word = strings.TrimSpace(word)
		switch {
		case word == "" || strings.HasPrefix(word, "gpg-pubkey-"):
		case !isNEVRA(word):
			return nil, "", hint.With(fmt.Errorf("%s:%d: %q is no NEVRA: want name-[epoch:]version-release.arch", nameOrPath, line, word),
				"rpm -qa --qf '%%{NAME}-%%{EPOCHNUM}:%%{VERSION}-%%{RELEASE}.%%{ARCH}\\n' writes such a list")
		default:
			nevras = append(nevras, word)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, "", fmt.Errorf("cannot read the baseline %s: %w", nameOrPath, err)
	}
	sum := sha256.Sum256(text)
	return nevras, hex.EncodeToString(sum[:]), nil
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

// isNEVRA says whether s has the four parts, and none of them is empty.
func isNEVRA(s string) bool {
	if strings.ContainsAny(s, " \t/") {
		return false
	}
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 || dot == len(s)-1 {
		return false
	}
	rest, release, ok1 := cutLast(s[:dot])
	name, version, ok2 := cutLast(rest)
	epoch, tail, found := strings.Cut(version, ":")
	if found && (strings.Trim(epoch, "0123456789") != "" || epoch == "" || tail == "") {
		return false
	}
	return ok1 && ok2 && name != "" && version != "" && release != ""
}
