// Package schema is the JSON schema of manifests. This package's tests generate it
// from the types of package manifest, and check that it matches them.
package schema

import _ "embed"

//go:embed bundle.schema.json
var text []byte

// Schema is the JSON schema of manifests, draft 2020-12.
func Schema() []byte { return text }
