// Package modules reads modules.yaml of yum repositories and says which packages
// of a modular repository a host sees: those of the streams that are active, as
// dnf has it. A stream is one of several versions of some software, of which a
// host has one at a time.
package modules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/yamlsize"
)

// Bounds of modules.yaml, decompressed; that of CentOS 8 AppStream is 6 MB.
const (
	maxBytes  = 64 << 20
	maxValues = 1_000_000 // as pkg/yamlsize counts; two for each package
)

// Module is one build of a stream.
type Module struct {
	Name, Stream string
	Version      uint64
	Requires     []map[string][]string // alternatives: by module, the streams that do; none is any
	Artifacts    []nevra.NEVRA
}

// String is "NAME:STREAM".
func (m *Module) String() string { return m.Name + ":" + m.Stream }

// Index is what modules.yaml of one or several repositories say.
type Index struct {
	Modules  []*Module
	Defaults map[string]string // by module, the stream that is active unless another one is chosen
}

// document is a document of modules.yaml, of any kind.
type document struct {
	Document string `yaml:"document"`
	Version  int    `yaml:"version"`
	Data     struct {
		Name         string    `yaml:"name"`
		Module       string    `yaml:"module"`
		Stream       string    `yaml:"stream"`
		Version      uint64    `yaml:"version"`
		Dependencies yaml.Node `yaml:"dependencies"`
		Artifacts    struct {
			RPMs []string `yaml:"rpms"`
		} `yaml:"artifacts"`
	} `yaml:"data"`
}

// Read adds modules.yaml, decompressed, to x. A document that cannot be
// understood is left out and counted, as it can only be about some module of
// its own; an error is one of the YAML itself.
//
// Source: libmodulemd, yaml_specs/modulemd_stream_v2.yaml and
// modulemd_defaults_v1.yaml.
func (x *Index) Read(r io.Reader) (odd int, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return 0, fmt.Errorf("cannot read modules.yaml: %w", err)
	}
	if len(text) > maxBytes {
		return 0, fmt.Errorf("cannot read modules.yaml: more than %d MiB", maxBytes>>20)
	}
	if line := yamlsize.Line(text, maxValues); line > 0 {
		return 0, fmt.Errorf("cannot read modules.yaml: line %d: more than %d values", line, maxValues)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc document
		err := d.Decode(&doc)
		var kind *yaml.TypeError
		switch {
		case errors.Is(err, io.EOF):
			return odd, nil
		case errors.As(err, &kind):
			odd++
		case err != nil:
			return odd, fmt.Errorf("cannot read modules.yaml: %w", err)
		case !x.add(&doc):
			odd++
		}
	}
}

// add takes in a document; false where it is of a known kind and of no use.
func (x *Index) add(doc *document) bool {
	d := &doc.Data
	switch doc.Document {
	case "modulemd-defaults":
		if d.Module == "" {
			return false
		}
		if x.Defaults == nil {
			x.Defaults = map[string]string{}
		}
		if _, known := x.Defaults[d.Module]; !known && d.Stream != "" {
			x.Defaults[d.Module] = d.Stream
		}
	case "modulemd":
		if d.Name == "" || d.Stream == "" {
			return false
		}
		m := &Module{Name: d.Name, Stream: d.Stream, Version: d.Version}
		var parts []struct {
			Requires map[string][]string `yaml:"requires"`
		}
		if d.Dependencies.Kind != 0 && doc.Version >= 2 {
			if err := d.Dependencies.Decode(&parts); err != nil {
				return false
			}
		}
		for _, p := range parts {
			m.Requires = append(m.Requires, p.Requires)
		}
		for _, a := range d.Artifacts.RPMs {
			n, err := nevra.Parse(a)
			if err != nil {
				return false
			}
			m.Artifacts = append(m.Artifacts, n)
		}
		x.Modules = append(x.Modules, m)
	}
	return true
}

// streams are the streams that there are of a module, in order.
func (x *Index) streams(name string) []string {
	var out []string
	for _, m := range x.Modules {
		if m.Name == name && !slices.Contains(out, m.Stream) {
			out = append(out, m.Stream)
		}
	}
	slices.Sort(out)
	return out
}
