package manifest

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/yamlsize"
)

const (
	// MaxSize is the largest manifest that is read, in bytes.
	MaxSize = 4 << 20
	// maxValues bounds the values of a manifest, aliases expanded.
	maxValues = 50_000
	// maxHostValues bounds those of cluster.yaml and of a ticket: some 15 for each host.
	maxHostValues = 100_000
)

// origin is what a manifest was before it was resolved.
type origin struct {
	dir     string              // of its relative paths, "" is the current one
	raw     Manifest            // merged; all networks' files, variables as written
	mirrors map[string][]string // --mirror, by registry
	repos   map[string][]string // --repo, by id
	hosts   []string            // --baseline, absolute paths
}

// Parse reads a manifest strictly; name is what errors call the file. The error
// is an *InvalidError that tells up to ten problems with line and column. A
// manifest that stands alone comes back resolved: variables in URLs are
// expanded, files of other networks are gone. One that extends another comes
// back as written; Load resolves it.
func Parse(name string, data []byte) (*Manifest, error) { return Words{}.Parse(name, data) }

// Parse is as the function Parse, for a manifest that may use the words of w.
func (w Words) Parse(name string, data []byte) (*Manifest, error) {
	m, doc, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	if err := invalid(name, validate(m, w).problems(doc)); err != nil {
		return nil, err
	}
	if m.Extends == "" {
		m.origin = &origin{raw: *m}
		m.resolve()
	}
	return m, nil
}

// parse decodes without validating. doc is where positions are looked up.
func parse(name string, data []byte) (*Manifest, *yaml.Node, error) {
	m := &Manifest{}
	doc, err := decode(name, data, decoder{limit: maxValues, aliases: true}, MaxSize, m)
	return m, doc, err
}

// decode reads the document in data with d into target, a pointer to a struct.
func decode(name string, data []byte, d decoder, maxSize int, target any) (*yaml.Node, error) {
	if len(data) > maxSize {
		return nil, invalid(name, []Problem{{Text: fmt.Sprintf("larger than %d MiB", maxSize>>20)}})
	}
	if line := yamlsize.Line(data, d.limit); line > 0 {
		return nil, invalid(name, []Problem{{Line: line, Column: 1, Text: fmt.Sprintf("more than %d values", d.limit)}})
	}
	doc, problems := readDocument(data)
	if len(problems) > 0 {
		return nil, invalid(name, problems)
	}
	if doc == nil || isNull(doc) {
		return nil, invalid(name, []Problem{{Line: 1, Column: 1, Text: "the file is empty"}})
	}
	d.value(doc, reflect.ValueOf(target).Elem(), root)
	return doc, invalid(name, d.problems)
}

// Dir is the directory that relative paths in m start from.
func (m *Manifest) Dir() string {
	if m.origin == nil || m.origin.dir == "" {
		return "."
	}
	return m.origin.dir
}
