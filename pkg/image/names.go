package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/imageref"
	"kubecrate/pkg/yamlsize"
)

// Bounds of a YAML stream. The largest real ones, with all of an operator's
// resource definitions, are below 5 MiB and have about thirty levels.
const (
	maxYAML      = 8 << 20
	maxValues    = 500_000 // as pkg/yamlsize counts; Calico's 180 kB have 7,000
	maxDocuments = 4096
	maxDepth     = 500
	maxFields    = 1 << 20
)

// Names lists the images that a stream of Kubernetes objects names, in order,
// canonical and without duplicates: those of containers, initContainers,
// ephemeralContainers and image volumes, in any object with a pod spec: a Pod, a
// template of a DaemonSet or CronJob, an item of a List, a custom resource.
// Comments, environment values, ConfigMaps and the schemas of
// CustomResourceDefinitions do not count. A container without an image is skipped.
//
// An error names the line: the text is not YAML, a document is not an object,
// an image is not a name (an unrendered template), or the stream exceeds 8 MiB,
// 500,000 values, 4096 documents or 500 levels.
func Names(r io.Reader) ([]string, error) {
	w, err := walkAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot find the images it names: %w", err)
	}
	return w.names, nil
}

// walkAll walks every document of a stream.
func walkAll(r io.Reader) (*walker, error) {
	text, err := boundedYAML(r)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	w := &walker{seen: map[*yaml.Node]bool{}, named: map[string]bool{}}
	for n := 0; ; n++ {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return w, nil
		}
		if err == nil && n >= maxDocuments {
			err = fmt.Errorf("line %d: more than %d documents", doc.Line, maxDocuments)
		}
		if err == nil {
			err = w.document(&doc)
		}
		if err != nil {
			return nil, err
		}
		clear(w.seen) // the next document has other nodes
	}
}

// boundedYAML returns a decoder for a YAML stream whose nodes fit into memory.
func boundedYAML(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxYAML+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxYAML {
		return nil, fmt.Errorf("it is larger than %d MiB", maxYAML>>20)
	}
	if line := yamlsize.Line(text, maxValues); line > 0 {
		return nil, fmt.Errorf("line %d: it has more than %d values", line, maxValues)
	}
	return text, nil
}

// walker collects names. It visits each node once, so that nested aliases cost
// nothing and cannot form a loop.
type walker struct {
	seen    map[*yaml.Node]bool
	named   map[string]bool
	names   []string
	pulled  []Mention
	visited int
}

func (w *walker) document(doc *yaml.Node) error {
	for _, root := range doc.Content {
		root = target(root)
		if root.Kind == yaml.MappingNode {
			if err := w.walk(root, 0); err != nil {
				return err
			}
		} else if root.Tag != "!!null" {
			return fmt.Errorf("line %d: not a Kubernetes object", root.Line)
		}
	}
	return nil
}

// walk finds pod specs in and below n.
func (w *walker) walk(n *yaml.Node, depth int) error {
	n = target(n)
	if n.Kind == yaml.ScalarNode || w.seen[n] {
		return nil
	}
	w.seen[n] = true
	if depth > maxDepth {
		return fmt.Errorf("line %d: nested deeper than %d levels", n.Line, maxDepth)
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			if err := w.walk(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	fields, err := w.flatten(n)
	if err != nil || inert(fields) {
		return err
	}
	for _, f := range fields {
		if err := w.field(fields, f, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) field(siblings []field, f field, depth int) error {
	switch f.key {
	case "metadata", "managedFields":
		return nil
	case "containers", "initContainers", "ephemeralContainers":
		if err := w.containers(f.value); err != nil {
			return err
		}
	case "volumes":
		if isPodSpec(siblings) {
			if err := w.volumes(f.value); err != nil {
				return err
			}
		}
	}
	return w.walk(f.value, depth+1)
}

func (w *walker) containers(list *yaml.Node) error {
	list = target(list)
	if list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range list.Content {
		if err := w.imageOf(item, "image"); err != nil {
			return err
		}
		if err := w.pullOf(item, "image", "imagePullPolicy"); err != nil {
			return err
		}
	}
	return nil
}

// volumes collects the images that are mounted as volumes (volumes[].image).
func (w *walker) volumes(list *yaml.Node) error {
	list = target(list)
	if list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range list.Content {
		fields, err := w.flatten(target(item))
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.key == "image" && target(f.value).Kind == yaml.MappingNode {
				if err := w.imageOf(f.value, "reference"); err != nil {
					return err
				}
				if err := w.pullOf(f.value, "reference", "pullPolicy"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *walker) imageOf(n *yaml.Node, key string) error {
	fields, err := w.flatten(target(n))
	if err != nil {
		return err
	}
	for _, f := range fields {
		if f.key != key {
			continue
		}
		v := target(f.value)
		if v.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: image is not a string; is this an unrendered template?", v.Line)
		}
		if v.Tag == "!!null" || v.Value == "" {
			continue
		}
		name, err := imageref.Canonical(v.Value)
		if err != nil {
			return fmt.Errorf("line %d: %w", v.Line, err)
		}
		if !w.named[name] {
			w.named[name] = true
			w.names = append(w.names, name)
		}
	}
	return nil
}

type field struct {
	key   string
	value *yaml.Node
}

// flatten lists the fields of a mapping with its merge keys (<<) resolved: the
// mapping's own fields override merged ones, an earlier merge overrides a later one.
// For other nodes the list is empty.
func (w *walker) flatten(n *yaml.Node) ([]field, error) {
	m := merger{walker: w, known: map[string]bool{}, entered: map[*yaml.Node]bool{}}
	if err := m.add(n, 0); err != nil {
		return nil, err
	}
	return m.fields, nil
}

type merger struct {
	*walker
	known   map[string]bool
	entered map[*yaml.Node]bool
	fields  []field
}

func (m *merger) add(n *yaml.Node, depth int) error {
	n = target(n)
	if n.Kind != yaml.MappingNode || m.entered[n] {
		return nil
	}
	m.entered[n] = true
	if depth > maxDepth {
		return fmt.Errorf("line %d: merged deeper than %d levels", n.Line, maxDepth)
	}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if m.visited++; m.visited > maxFields {
			return fmt.Errorf("line %d: more than %d fields, including merged ones", n.Line, maxFields)
		}
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			merges = append(merges, value)
		case key.Kind == yaml.ScalarNode && !m.known[key.Value]:
			m.known[key.Value] = true
			m.fields = append(m.fields, field{key.Value, value})
		}
	}
	for _, from := range merges {
		from = target(from)
		parts := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			parts = from.Content
		}
		for _, part := range parts {
			if err := m.add(part, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// inert are fields below which nothing runs as a pod.
func inert(fields []field) bool {
	for _, f := range fields {
		if f.key == "kind" {
			switch target(f.value).Value {
			case "ConfigMap", "Secret", "CustomResourceDefinition":
				return true
			}
		}
	}
	return false
}

func isPodSpec(fields []field) bool {
	for _, f := range fields {
		if f.key == "containers" {
			return target(f.value).Kind == yaml.SequenceNode
		}
	}
	return false
}

// target resolves an alias.
func target(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < maxDepth; i++ {
		n = n.Alias
	}
	return n
}
