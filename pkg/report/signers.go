package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/sbom"
	"kubecrate/pkg/table"
)

// signers reads who signed the packages of l out of an archive's SBOM; an archive
// without one says nothing.
func signers(fsys fs.FS, l *manifest.Lock) (map[string]string, error) {
	text, err := readMember(fsys, sbomName, sbom.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the archive's SBOM: %w", err)
	}
	return sbom.Signers(text, l)
}

// keyID is the key ID of a fingerprint, its last 16 digits as rpm -K shows them, "-"
// for none.
func keyID(fingerprint string) string {
	const digits = 16
	if fingerprint == "" {
		return "-"
	}
	return fingerprint[max(0, len(fingerprint)-digits):]
}

// RepoTrust is whose signature the packages of a repository must carry when they
// are fetched. Fingerprints are those of the pinned keys; where a repository that
// is checked has none, any key of Keys counts.
type RepoTrust struct {
	ID           string   `json:"id"`
	Packages     int      `json:"packages"`
	Checked      bool     `json:"checked"`
	Fingerprints []string `json:"fingerprints,omitempty"`
	Keys         []string `json:"keys,omitempty"`
}

// Trusts says whose signature each repository's packages in l must carry, in the
// order of the manifest.
func Trusts(m *manifest.Manifest, l *manifest.Lock) []RepoTrust {
	count := map[string]int{}
	for _, p := range l.Packages {
		count[p.Repo]++
	}
	var list []RepoTrust
	for _, r := range m.Packages.Repos {
		if count[r.ID] == 0 {
			continue
		}
		t := RepoTrust{ID: r.ID, Packages: count[r.ID], Checked: r.Checked()}
		if t.Checked {
			t.Fingerprints, t.Keys = slices.Clone(r.Fingerprints), slices.Clone(r.GPGKey)
		}
		list = append(list, t)
	}
	return list
}

// WriteTrusts prints list for people.
func WriteTrusts(w io.Writer, list []RepoTrust) error {
	p := table.New(w)
	for _, t := range list {
		by := "signatures are not checked"
		switch {
		case t.Checked && len(t.Fingerprints) > 0:
			by = "signed by " + strings.Join(t.Fingerprints, " or ")
		case t.Checked:
			by = "signed by a key of " + strings.Join(t.Keys, ", ")
		}
		p.Line("%s\t%d\t%s", t.ID, t.Packages, by)
	}
	return p.Flush()
}
