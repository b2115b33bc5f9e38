package report_test

import (
	"slices"
	"strings"
	"testing"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/report"
	"kubecrate/pkg/sbom"
)

// TestInspectNamesSigners: who signed a package is in the archive's SBOM, and
// inspect shows it.
func TestInspectNamesSigners(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0123456789ABCDEF", 4)[:40]
	same := func(s string) string { return s }
	l, members := bundled()
	text, err := sbom.Document(l, hexSum(nil), "test", map[string]string{l.Packages[0].NEVRA.String(): "signed by " + key + " with key X"})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		sbom, want, shown string
		fails             bool
	}{
		"signed":  {string(text), key, " " + key[len(key)-16:] + " ", false},
		"none":    {"", "", " - ", false},
		"damaged": {"{", "", "", true},
	} {
		list := slices.Clone(members)
		if c.sbom != "" {
			list = append([]archive.Entry{entry("sbom.spdx.json", manifest.KindMeta, c.sbom)}, list...)
		}
		got, err := report.Inspect(opened(t, l, list, same))
		if c.fails {
			if err == nil {
				t.Errorf("%s: no error", what)
			}
			continue
		}
		if err != nil || got.Signers[l.Packages[0].NEVRA.String()] != c.want {
			t.Errorf("%s: %v, %v", what, got, err)
			continue
		}
		var b strings.Builder
		if err := got.WriteText(&b); err != nil || !strings.Contains(b.String(), c.shown) {
			t.Errorf("%s: %v\n%s", what, err, b.String())
		}
	}
}

// TestTrusts: a lock's repositories are told with the keys that must have signed.
func TestTrusts(t *testing.T) {
	t.Parallel()
	no := false
	m := &manifest.Manifest{}
	m.Packages.Repos = []manifest.Repo{
		{ID: "pinned", GPGKey: []string{"k.gpg"}, Fingerprints: []string{"AA", "BB"}},
		{ID: "any", GPGKey: []string{"k.gpg"}},
		{ID: "open", GPGCheck: &no},
		{ID: "unused", GPGKey: []string{"k.gpg"}},
	}
	l := &manifest.Lock{Packages: []manifest.LockedPackage{{Repo: "pinned"}, {Repo: "open"}, {Repo: "any"}, {Repo: "pinned"}}}
	var b strings.Builder
	if err := report.WriteTrusts(&b, report.Trusts(m, l)); err != nil {
		t.Fatal(err)
	}
	want := "pinned 2 signed by AA or BB\nany 1 signed by a key of k.gpg\nopen 1 signatures are not checked\n"
	var got strings.Builder
	for line := range strings.Lines(b.String()) {
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}
