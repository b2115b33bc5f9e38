// Package hostiletest puts strings that a terminal would obey where others than
// the operator can put them, for tests of what both programs print.
package hostiletest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/nevra/nevratest"
)

// Text clears the screen, sets the title, hides and reorders text, and forges
// lines. It is valid UTF-8, as JSON and YAML have to be; Bytes is not.
const (
	Text  = "x\x1b[2J\x1b]0;t\a\u202e\u2066\u200b\ufeff\u009b31m\u0085\u2028\x7f\r\n ok everything fine\nhint: rm -rf /\tz"
	Bytes = "x\x1b[2J\x9b31m\xff\n ok everything fine\nhint: rm -rf /\tz"
)

// Quoted is Text as JSON and YAML spell it.
func Quoted() string {
	b, err := json.Marshal(Text)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return string(b)
}

// Check fails where output has what a terminal obeys, or a line of a stranger's.
func Check(tb testing.TB, place, output string) {
	tb.Helper()
	if !utf8.ValidString(output) {
		tb.Errorf("%s: bytes that are not UTF-8 in %q", place, output)
	}
	for _, r := range output {
		if r != '\n' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
			tb.Errorf("%s: %U in %q", place, r, output)
			break
		}
	}
	for line := range strings.Lines(output) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "ok everything fine") || strings.HasPrefix(l, "hint: rm") {
			tb.Errorf("%s: a forged line in %q", place, output)
		}
	}
}

// CheckJSON is Check, and fails where a line is not JSON.
func CheckJSON(tb testing.TB, place, output string) {
	tb.Helper()
	Check(tb, place, output)
	for line := range strings.Lines(output) {
		if !json.Valid([]byte(line)) {
			tb.Errorf("%s: not JSON: %q", place, line)
		}
	}
}

// Archive writes a small archive whose lock is a stranger's, and returns its path.
func Archive(tb testing.TB, dir string) string {
	tb.Helper()
	m, err := manifest.Parse("bundle.yaml", []byte("apiVersion: kubecrate/v1\nkind: Bundle\nname: k\nplatform: {family: el7, arch: amd64}\nkubernetes: v1.17.4\nruntime: docker\nnetwork: flannel\nimages: {list: [\"k8s.gcr.io/pause:3.1\"]}\n"))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := m.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	lock, err := Lock(m).Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	var entries []archive.Entry
	for name, text := range map[string][]byte{"bundle.lock": lock, "bundle.yaml": text} {
		sum := sha256.Sum256(text)
		entries = append(entries, archive.Entry{
			Artifact: manifest.Artifact{Path: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Kind: manifest.KindMeta},
			Open:     func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		})
	}
	path := filepath.Join(dir, "k-amd64.tar.zst")
	if _, err := archive.WriteFile(tb.Context(), path, archive.CreateOptions{Name: "k", Platform: m.Platform, Level: archive.Fast}, entries); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Lock is a lock of m that a stranger wrote.
func Lock(m *manifest.Manifest) *manifest.Lock {
	sum := strings.Repeat("a", sha256.Size*2)
	return &manifest.Lock{
		APIVersion: manifest.APIVersion, Kind: manifest.KindLock, Name: "k", Platform: m.Platform, Manifest: m.Digest(), Baseline: manifest.NoBaseline,
		Packages: []manifest.LockedPackage{{NEVRA: nevratest.Parse("kubelet-1.17.4-0.x86_64"), Repo: "r", Location: "k.rpm", URL: "https://r.example/k.rpm", Size: 1, SHA256: sum,
			Why: []manifest.LockedReason{{By: "kubelet-1.17.4-0.x86_64", Requires: Text}, {Root: Text}}}},
		Images: []manifest.LockedImage{{Name: "k8s.gcr.io/pause:3.1", Source: Text, Digest: "sha256:" + sum,
			Platform: "linux/amd64", MediaType: Text, Size: 1, Config: manifest.LockedBlob{Digest: "sha256:" + sum, Size: 1},
			Layers: []manifest.LockedLayer{{LockedBlob: manifest.LockedBlob{Digest: "sha256:" + sum, Size: 1}, MediaType: Text, DiffID: "sha256:" + sum}}}},
	}
}

// Write writes a file of a stick or a host.
func Write(tb testing.TB, path, text string) {
	tb.Helper()
	const fileMode, dirMode = 0o644, 0o755
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), fileMode); err != nil {
		tb.Fatal(err)
	}
}
