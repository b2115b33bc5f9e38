package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"kubecrate/manifest"
)

// generate is the JSON schema of a manifest, generated from its Go types, with a
// newline at its end. That of the words of this version stands in
// bundle.schema.json.
func generate(w manifest.Words) ([]byte, error) {
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true, // what is required depends on extends
		ExpandedStruct:             true,
		Mapper:                     mapped,
	}
	s := r.Reflect(&manifest.Manifest{})
	s.ID = ""
	s.Title = "kubecrate manifest"
	s.Description = "The contents of a bundle: RPMs with their dependencies, container images and files."
	require(s)
	if err := describe(s, s.Definitions, w); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// mapped gives the types that reflection cannot see through.
func mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[manifest.Role]() {
		return &jsonschema.Schema{Type: "string", Enum: []any{string(manifest.Master), string(manifest.Node)}}
	}
	if t == reflect.TypeFor[manifest.URLs]() {
		one := &jsonschema.Schema{Type: "string", Pattern: place}
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{one, {Type: "array", Items: one, MinItems: new(uint64(1))}}}
	}
	return nil
}

// require says what must be there: a manifest that extends another inherits
// the rest. An image may be only its name.
func require(s *jsonschema.Schema) {
	s.Required = []string{"apiVersion", "kind"}
	s.AnyOf = []*jsonschema.Schema{
		{Required: []string{"extends"}},
		{Required: []string{"name", "platform", "kubernetes", "runtime", "network"}},
	}
	defs := s.Definitions
	defs["Repo"].Required = []string{"id"}
	defs["File"].Required = []string{"url", "path"}
	image := *defs["Image"]
	image.Required = []string{"name"}
	defs["Image"] = &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", MinLength: new(uint64(1))},
		&image,
	}}
}

// describe gives every property its text and its limits.
func describe(s *jsonschema.Schema, defs jsonschema.Definitions, w manifest.Words) error {
	all := properties(w)
	used := map[string]bool{}
	var walk func(s *jsonschema.Schema, at string) error
	walk = func(s *jsonschema.Schema, at string) error {
		if s.Properties == nil {
			return nil
		}
		for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
			name := strings.TrimPrefix(at+"."+pair.Key, ".")
			p, ok := all[name]
			if !ok {
				return fmt.Errorf("cannot write the schema: nothing describes %s", name)
			}
			used[name] = true
			p.apply(pair.Value)
			next := pair.Value
			if next.Items != nil {
				next = next.Items
			}
			if ref, ok := strings.CutPrefix(next.Ref, "#/$defs/"); ok {
				next = defs[ref]
			}
			for _, variant := range append([]*jsonschema.Schema{next}, next.OneOf...) {
				if err := walk(variant, name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(s, ""); err != nil {
		return err
	}
	for name := range all {
		if !used[name] {
			return fmt.Errorf("cannot write the schema: manifests have no %s", name)
		}
	}
	return nil
}
