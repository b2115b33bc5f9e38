package cni

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/yamlsize"
)

// document is a YAML stream that is changed twice over: in its tree, which is
// what is meant, and in its lines, so that everything else stays as it is. Where
// the lines cannot be changed, or come to mean something else than the tree, the
// tree is written again.
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

// maxValues bounds a manifest as pkg/yamlsize counts; Calico's has 7,000.
const maxValues = 200_000

func decode(text []byte) ([]*yaml.Node, error) {
	if line := yamlsize.Line(text, maxValues); line > 0 {
		return nil, fmt.Errorf("line %d: more than %d values", line, maxValues)
	}
	var docs []*yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is not YAML: %w", err)
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
// which as many lines stay as there were, and for what stands on one line.
func (d *document) setText(n *yaml.Node, value string) {
	if n.Style&yaml.LiteralStyle == 0 {
		d.setWord(n, value)
		return
	}
	was, now := strings.Split(n.Value, "\n"), strings.Split(value, "\n")
	if len(was) != len(now) {
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

// setWord is setText for a scalar on one line, which keeps its quotes.
func (d *document) setWord(n *yaml.Node, value string) {
	quote := ""
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = "'"
	}
	was := quote + n.Value + quote
	n.SetString(value)
	at, column := n.Line-1, n.Column-1
	if was == "" || at < 0 || column < 0 || at >= len(d.lines) || column > len(d.lines[at]) || !strings.HasPrefix(d.lines[at][column:], was) {
		d.stuck = true
		return
	}
	line := d.lines[at]
	d.swaps[at] = line[:column] + quote + value + quote + line[column+len(was):]
}

// prepend puts an item before the others of a list. In the lines it works for a
// list in block style.
func (d *document) prepend(seq, item *yaml.Node, lines ...string) {
	if indent, end, ok := d.dash(seq, seq.Line); ok && len(seq.Content) > 0 {
		at := seq.Line - 1
		d.puts[at] = block(indent, end, lines) + d.puts[at]
	} else {
		d.stuck = true
	}
	seq.Content = slices.Insert(seq.Content, 0, item)
}

// replace puts an item in the place of that at i. In the lines it works for a
// list in block style, of an item whose scalars stand on one line each.
func (d *document) replace(seq *yaml.Node, i int, item *yaml.Node, lines ...string) {
	was := seq.Content[i]
	if indent, end, ok := d.dash(seq, was.Line); ok && lastLine(was) <= len(d.lines) {
		for at := was.Line - 1; at < lastLine(was); at++ {
			d.swaps[at] = ""
		}
		d.swaps[was.Line-1] = block(indent, end, lines)
	} else {
		d.stuck = true
	}
	item.Line, item.Column = was.Line, was.Column // it stands there now
	seq.Content[i] = item
}

// uncomment puts an item into a list where it stands in comments already,
// between two others: the same keys behind "# ", one on a line. It says whether
// that was so.
func (d *document) uncomment(seq, item *yaml.Node, lines ...string) bool {
	for i := 1; i < len(seq.Content); i++ {
		indent, end, ok := d.dash(seq, seq.Content[i].Line)
		shown := func(at int) bool {
			for j, line := range lines {
				key, _, _ := strings.Cut(line, ": ")
				if !strings.HasPrefix(d.lines[at+j], indent+"# "+key+":") {
					return false
				}
			}
			return strings.TrimSpace(d.lines[at]) == "# "+lines[0] // that is its name
		}
		for at := lastLine(seq.Content[i-1]); ok && at+len(lines) < seq.Content[i].Line; at++ {
			if !shown(at) {
				continue
			}
			for j, line := range lines {
				d.swaps[at+j] = indent + line + end
			}
			seq.Content = slices.Insert(seq.Content, i, item)
			return true
		}
	}
	return false
}

// dash tells the indentation of a list in block style, and how the line ends on
// which an item of it is to begin.
func (d *document) dash(seq *yaml.Node, line int) (indent, end string, ok bool) {
	if seq.Style&yaml.FlowStyle != 0 || line < 1 || line > len(d.lines) {
		return "", "", false
	}
	body, end := cutEnd(d.lines[line-1])
	item := strings.TrimLeft(body, " ")
	indent = body[:len(body)-len(item)]
	return indent, end, strings.HasPrefix(item, "-") && len(indent) == seq.Column-1
}

// block is lines of one indentation.
func block(indent, end string, lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(indent + l + end)
	}
	return b.String()
}

// lastLine is the last on which something of a node begins, from 1.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
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
