package sbom

import (
	"encoding/json"
	"fmt"
	"regexp"

	"kubecrate/manifest"
)

// MaxSize bounds a document that is read, in bytes: one of a thousand packages has
// less than a megabyte.
const MaxSize = 16 << 20

// signedBy is how the comment of a package begins whose signature was checked: what
// rpm.Verification says of itself. The digits are of a primary key, V4 or V6.
var signedBy = regexp.MustCompile(`^signed by ([0-9A-F]{40}|[0-9A-F]{64})\b`)

// Signers reads from a document that Document wrote which key signed each package
// of l, by NEVRA: the fingerprint of the primary key. A package whose signature was
// not checked is left out. The document says what the builder found; it is worth
// what the signature of the archive is.
func Signers(text []byte, l *manifest.Lock) (map[string]string, error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the SPDX document: %w", err)
	}
	bySum := map[string]string{}
	for _, p := range doc.Packages {
		if m := signedBy.FindStringSubmatch(p.Comment); m != nil && len(p.Checksums) == 1 {
			bySum[p.Checksums[0].Value] = m[1]
		}
	}
	signers := map[string]string{}
	for _, p := range l.Packages {
		if key := bySum[p.SHA256]; key != "" {
			signers[p.NEVRA.String()] = key
		}
	}
	return signers, nil
}
