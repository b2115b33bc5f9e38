// Package schema is the JSON schema of manifests. It is generated from the
// types of package manifest by this package's tests, which hold it to them.
package schema

import _ "embed"

//go:embed bundle.schema.json
var text []byte

// Schema is the JSON schema of manifests, draft 2020-12.
func Schema() []byte { return text }
