package manifest

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/yamlsize"
)

const (
	// MaxSize limits the size of a manifest, in bytes.
	MaxSize = 4 << 20
	// maxValues limits the values of a manifest, aliases expanded.
	maxValues = 50_000
	// maxHostValues limits those of cluster.yaml and of a ticket: some 15 for each host.
	maxHostValues = 100_000
)

// origin is a manifest before it was resolved.
type origin struct {
	dir     string              // base of its relative paths, "" is the current one
	raw     Manifest            // merged; all networks' files, variables as written
	mirrors map[string][]string // --mirror, by registry
	repos   map[string][]string // --repo, by id
	hosts   []string            // --baseline, absolute paths
}

// Parse reads a manifest strictly; errors call the file name. The error is an
// *InvalidError with up to ten problems with line and column. A manifest that
// extends no other is returned resolved: variables in URLs are expanded, files of
// other networks are removed. One that extends another is returned as written; Load
// resolves it.
func Parse(name string, data []byte) (*Manifest, error) { return Words{}.Parse(name, data) }

// Parse is the function Parse with the words of w.
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

// parse decodes without validating. doc is for looking up positions.
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

// Dir is the base directory of relative paths in m.
func (m *Manifest) Dir() string {
	if m.origin == nil || m.origin.dir == "" {
		return "."
	}
	return m.origin.dir
}
