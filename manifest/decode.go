package manifest

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// decoder fills Go values from YAML nodes strictly: unknown and duplicate keys and
// values of the wrong type become problems with their position.
type decoder struct {
	problems []Problem
	nodes    int // visited, aliases expanded
	limit    int
	aliases  bool // whether aliases are followed or refused
	fields   map[reflect.Type]map[string][]int
}

// readDocument reads the single YAML document in data; nil means it is empty.
func readDocument(data []byte) (*yaml.Node, []Problem) {
	if !utf8.Valid(data) {
		line := 1
		for text := data; len(text) > 0; {
			r, size := utf8.DecodeRune(text)
			if r == utf8.RuneError && size == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			text = text[size:]
		}
		return nil, []Problem{{Line: line, Text: "not UTF-8 text (GBK or Latin-1?): to convert it: iconv -f GBK -t UTF-8 FILE"}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, []Problem{syntaxProblem(err)}
	}
	err = dec.Decode(&second)
	if err == nil {
		return nil, []Problem{{Line: second.Line, Column: second.Column, Text: "a second document: only one is allowed"}}
	}
	if !errors.Is(err, io.EOF) {
		return nil, []Problem{syntaxProblem(err)}
	}
	if len(doc.Content) != 1 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// syntaxProblem turns the library's "yaml: line 3: text" into a Problem without a
// column.
func syntaxProblem(err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.Replace(text, "found character that cannot start any token", "a tab, or a character that cannot start a value: indent with spaces, and quote % @ and `", 1)
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, message, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return Problem{Line: line, Text: message}
			}
		}
	}
	return Problem{Text: text}
}

func (d *decoder) report(n *yaml.Node, format string, args ...any) {
	if len(d.problems) < maxFindings {
		d.problems = append(d.problems, Problem{Line: n.Line, Column: n.Column, Text: clean(fmt.Sprintf(format, args...))})
	}
}

// value decodes n into v, the value at path at.
func (d *decoder) value(n *yaml.Node, v reflect.Value, at path) {
	if d.nodes++; d.nodes > d.limit {
		if d.nodes == d.limit+1 {
			d.report(n, "more than %d values, aliases expanded", d.limit)
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		if !d.aliases {
			d.report(n, "%saliases are not allowed", at.prefix())
			return
		}
		n = n.Alias
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, text, at)
		return
	}
	if image, ok := v.Addr().Interface().(*Image); ok && n.Kind == yaml.ScalarNode {
		d.value(n, reflect.ValueOf(&image.Name).Elem(), at)
		return
	}
	if urls, ok := v.Addr().Interface().(*URLs); ok && n.Kind == yaml.ScalarNode {
		*urls = URLs{""}
		d.value(n, reflect.ValueOf(&(*urls)[0]).Elem(), at)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, v, at)
	case reflect.Map:
		d.dictionary(n, v, at)
	case reflect.Slice:
		d.sequence(n, v, at)
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		d.value(n, target.Elem(), at)
		v.Set(target)
	default:
		d.scalar(n, v, at)
	}
}

// text decodes a word into a value that reads itself.
func (d *decoder) text(n *yaml.Node, v encoding.TextUnmarshaler, at path) {
	var word string
	before := len(d.problems)
	d.scalar(n, reflect.ValueOf(&word).Elem(), at)
	if len(d.problems) > before {
		return
	}
	if err := v.UnmarshalText([]byte(word)); err != nil {
		d.report(n, "%s: %v", at, err)
	}
}

// mapping decodes into a struct by its yaml tags.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, at path) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.report(n, "%s must be a mapping (key: value), not %s", at.or("a document"), describe(n))
		return
	}
	fields := d.fieldsOf(v.Type())
	d.keys(n, at, func(key, value *yaml.Node) {
		index, ok := fields[key.Value]
		if !ok {
			known := make([]string, 0, len(fields))
			for name := range fields {
				known = append(known, name)
			}
			if text := repoKeyAdvice(v.Type(), key.Value); text != "" {
				d.report(key, "unknown key %q%s: %s", key.Value, at.in(), text)
				return
			}
			d.report(key, "unknown key %q%s%s", key.Value, at.in(), guess(key.Value, known))
			return
		}
		d.value(value, v.FieldByIndex(index), at.key(key.Value))
	})
}

// keys calls f for each pair of a mapping, and reports duplicate keys and keys that
// are not plain words.
func (d *decoder) keys(n *yaml.Node, at path, f func(key, value *yaml.Node)) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch line, twice := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			d.report(key, "%sa key must be a plain word", at.prefix())
		case twice:
			d.report(key, "duplicate key %q%s (first on line %d)", key.Value, at.in(), line)
		default:
			seen[key.Value] = key.Line
			f(key, value)
		}
	}
}

// dictionary decodes into a map with string keys.
func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, at path) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.report(n, "%s must be a mapping (key: value), not %s", at, describe(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.keys(n, at, func(key, value *yaml.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, item, at.key(key.Value))
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	})
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, at path) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.report(n, "%s must be a list ([a, b], or lines starting with -), not %s", at, describe(n))
		return
	}
	for i, item := range n.Content {
		if d.nodes > d.limit {
			return
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(item, element, at.index(i))
		v.Set(reflect.Append(v, element))
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, at path) {
	if n.Kind != yaml.ScalarNode {
		d.report(n, "%s must be %s, not %s", at, wanted(v.Kind()), describe(n))
		return
	}
	tag := n.ShortTag()
	switch {
	case v.Kind() == reflect.String && tag == "!!str":
		v.SetString(n.Value)
	case v.Kind() == reflect.String && (tag == "!!int" || tag == "!!float" || tag == "!!bool" || tag == "!!timestamp"):
		d.report(n, "%s must be text, not %s: put it in quotes (%q)", at, describe(n), n.Value)
	case v.Kind() == reflect.Bool && tag == "!!bool":
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt() && tag == "!!int":
		number, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, v.Type().Bits())
		if err != nil {
			d.report(n, "%s: %s is out of range", at, n.Value)
			return
		}
		v.SetInt(number)
	default:
		d.report(n, "%s must be %s, not %s", at, wanted(v.Kind()), describe(n))
	}
}

// fieldsOf returns the index of each field by its yaml name; inlined structs are
// flattened.
func (d *decoder) fieldsOf(t reflect.Type) map[string][]int {
	if known, ok := d.fields[t]; ok {
		return known
	}
	fields := map[string][]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			for inner, index := range d.fieldsOf(f.Type) {
				fields[inner] = append([]int{i}, index...)
			}
		case name != "":
			fields[name] = []int{i}
		}
	}
	if d.fields == nil {
		d.fields = map[reflect.Type]map[string][]int{}
	}
	d.fields[t] = fields
	return fields
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	}
	return "a whole number"
}

// describe names what n is, with its value where that is short.
func describe(n *yaml.Node) string {
	const short = 40
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch {
	case isNull(n):
		return "nothing"
	case len(n.Value) > short && n.ShortTag() != "!!str":
		return "a number"
	case len(n.Value) > short:
		return "text"
	case n.ShortTag() == "!!str":
		return strconv.Quote(n.Value)
	}
	return n.Value
}
