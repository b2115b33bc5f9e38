package cni

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is a YAML stream that is changed twice over: in its tree, which is
// what is meant, and in its lines, so that everything else stays as it is. Where
// the lines cannot be changed, or come to mean something else than the tree, the
// tree is written anew.
type document struct {
	docs  []*yaml.Node
	lines []string // with their ends
	puts  map[int]string
	swaps map[int]string
	stuck bool // the lines cannot follow
}

// parse reads a stream of Kubernetes objects.
func parse(text []byte) (*document, error) {
	docs, err := decode(text)
	if err != nil {
		return nil, err
	}
	return &document{docs: docs, lines: strings.SplitAfter(string(text), "\n"), puts: map[int]string{}, swaps: map[int]string{}}, nil
}

func decode(text []byte) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no YAML: %w", err)
		}
		docs = append(docs, &doc)
	}
}

// objects lists the objects of the stream, those in a List too.
func (d *document) objects() []*yaml.Node {
	var all []*yaml.Node
	for _, doc := range d.docs {
		for _, root := range doc.Content {
			root = target(root)
			if items := get(root, "items"); text(get(root, "kind")) == "List" && items != nil {
				for _, item := range items.Content {
					all = append(all, target(item))
				}
				continue
			}
			all = append(all, root)
		}
	}
	return all
}

// setText gives a scalar another text. In the lines it works for a block (|) in
// which as many lines stay as there were.
func (d *document) setText(n *yaml.Node, value string) {
	was, now := strings.Split(n.Value, "\n"), strings.Split(value, "\n")
	if n.Style&yaml.LiteralStyle == 0 || len(was) != len(now) {
		d.stuck = true
	}
	for i := 0; i < len(was) && !d.stuck; i++ {
		if was[i] == now[i] {
			continue
		}
		at := n.Line + i // n.Line, from 1, is that of the |
		if at >= len(d.lines) {
			d.stuck = true
			break
		}
		body, end := cutEnd(d.lines[at])
		indent, ok := strings.CutSuffix(body, was[i])
		if !ok || strings.TrimLeft(indent, " ") != "" {
			d.stuck = true
			break
		}
		d.swaps[at] = indent + now[i] + end
	}
	n.Value = value
}

// prepend puts an item before the others of a list. In the lines it works for a
// list in block style.
func (d *document) prepend(seq, item *yaml.Node, lines ...string) {
	at := seq.Line - 1
	if seq.Style&yaml.FlowStyle != 0 || len(seq.Content) == 0 || at < 0 || at >= len(d.lines) {
		d.stuck = true
	} else {
		body, end := cutEnd(d.lines[at])
		dash := strings.TrimLeft(body, " ")
		if !strings.HasPrefix(dash, "-") || len(body)-len(dash) != seq.Column-1 {
			d.stuck = true
		}
		indent := strings.Repeat(" ", len(body)-len(dash))
		for _, l := range lines {
			d.puts[at] += indent + l + end
		}
	}
	seq.Content = append([]*yaml.Node{item}, seq.Content...)
}

func cutEnd(line string) (body, end string) {
	body = strings.TrimRight(line, "\r\n")
	return body, line[len(body):]
}

// bytes is the changed stream.
func (d *document) bytes() ([]byte, error) {
	if !d.stuck {
		var out bytes.Buffer
		for i, line := range d.lines {
			out.WriteString(d.puts[i])
			if swapped, ok := d.swaps[i]; ok {
				line = swapped
			}
			out.WriteString(line)
		}
		if docs, err := decode(out.Bytes()); err == nil && same(docs, d.docs) {
			return out.Bytes(), nil
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	for _, doc := range d.docs {
		if err := encoder.Encode(doc); err != nil {
			return nil, err
		}
	}
	err := encoder.Close()
	return out.Bytes(), err
}

// same says whether two trees mean the same.
func same(a, b []*yaml.Node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || a[i].ShortTag() != b[i].ShortTag() || a[i].Value != b[i].Value || !same(a[i].Content, b[i].Content) {
			return false
		}
	}
	return true
}

// get follows keys through mappings; nil where one is missing.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		n = target(n)
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var value *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				value = n.Content[i+1]
			}
		}
		n = value
	}
	return target(n)
}

// target follows an alias to the node it stands for.
func target(n *yaml.Node) *yaml.Node {
	const most = 100
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < most; i++ {
		n = n.Alias
	}
	return n
}

// text is a scalar's, "" for what is none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// list is what a sequence holds, aliases followed.
func list(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		items[i] = target(item)
	}
	return items
}
