package image

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/imageref"
)

// Mention is a text that looks like an image name, and its line.
type Mention struct {
	Name string // canonical
	Line int
}

// mostMentioned is how many bytes of a text are searched: a longer one is a script
// or a document, of which the beginning is enough.
const mostMentioned = 1 << 20

// Mentions lists texts anywhere in a stream of Kubernetes objects that look like
// image names: in containers, where Names finds them, but also in arguments,
// variables, ConfigMaps, custom resources and annotations. It is a heuristic for a
// warning. A name must have a registry or a namespace, and a tag or a digest; at a
// key for an image, a tag is enough. A custom resource may have repository and tag in
// separate keys. Text that is not YAML ends the list.
func Mentions(r io.Reader) []Mention {
	text, err := boundedYAML(r)
	if err != nil {
		return nil // Names has reported it
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	m := mentions{seen: map[*yaml.Node]bool{}, known: map[string]bool{}}
	for n := 0; n < maxDocuments; n++ {
		var doc yaml.Node
		if err := decoder.Decode(&doc); err != nil {
			break // Names has reported the error, or it is the end
		}
		for _, root := range doc.Content {
			m.walk(target(root), "", 0)
		}
		clear(m.seen)
	}
	return m.list
}

type mentions struct {
	seen    map[*yaml.Node]bool
	known   map[string]bool
	list    []Mention
	visited int
}

func (m *mentions) walk(n *yaml.Node, key string, depth int) {
	if m.visited++; m.visited > maxFields || depth > maxDepth {
		return
	}
	if n.Kind == yaml.ScalarNode {
		m.text(n, key)
		return
	}
	if m.seen[n] {
		return
	}
	m.seen[n] = true
	if n.Kind != yaml.MappingNode {
		for _, item := range n.Content {
			m.walk(target(item), key, depth+1)
		}
		return
	}
	if valueOf(n, "kind") == "CustomResourceDefinition" {
		return // its schema has examples and defaults of fields, not images
	}
	m.parts(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i].Value
		if k == "description" || k == "managedFields" {
			continue
		}
		if name := valueOf(n, "name"); k == "value" && name != "" {
			k = name // of a variable
		}
		m.walk(target(n.Content[i+1]), k, depth+1)
	}
}

// valueOf is the text at a key of a mapping, "" if there is none.
func valueOf(n *yaml.Node, key string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := target(n.Content[i+1]); n.Content[i].Value == key && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

// parts finds an image in separate keys: repository and tag, with or without a
// registry, as in custom resources and charts.
func (m *mentions) parts(n *yaml.Node) {
	tag := valueOf(n, "tag")
	if tag == "" {
		tag = valueOf(n, "version")
	}
	if tag == "" {
		return
	}
	for _, key := range []string{"repository", "image", "baseImage"} {
		repository := valueOf(n, key)
		if repository == "" {
			continue
		}
		if registry := valueOf(n, "registry"); registry != "" {
			repository = registry + "/" + repository
		}
		if _, has := tagOf(repository); !has && strings.Contains(repository, "/") {
			m.add(repository+":"+tag, n.Line)
			return
		}
	}
}

// word finds possible references within a text: everything up to a blank, a quote,
// a comma or another end of a word in a script, and the value after an equals sign
// in an argument.
var word = regexp.MustCompile("[^\\s\"'`,;=<>(){}|$]+")

func (m *mentions) text(n *yaml.Node, key string) {
	if n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" || n.Tag == "!!null" {
		return
	}
	text := n.Value[:min(len(n.Value), mostMentioned)]
	line := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		line++ // the text begins on the line after its key
	}
	for l := range strings.Lines(text) {
		for _, w := range word.FindAllString(l, -1) {
			w = strings.TrimRight(strings.TrimPrefix(w, "docker://"), ".:")
			// "image: x:1" within a ConfigMap is nested YAML, and so is "[a/b:1,"
			w = strings.Trim(w, "[]")
			if m.plausible(w, key) {
				m.add(w, line)
			}
		}
		if n.Style&yaml.LiteralStyle != 0 {
			line++
		}
	}
}

// hostLike is a registry: a name with a dot or a port, or localhost.
var hostLike = regexp.MustCompile(`^(localhost|[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+){3}|[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]+)(:[0-9]+)?$`)

// plausible reports whether a word is likely an image name. A path, a URL, a
// host:port pair, a time and a media type are not.
func (*mentions) plausible(w, key string) bool {
	repository, tagged := tagOf(w)
	if !tagged || strings.Contains(w, "://") || strings.HasPrefix(w, "/") {
		return false
	}
	first, rest, found := strings.Cut(repository, "/")
	if !found {
		return isImageKey(key)
	}
	if rest == "" || strings.Contains(rest, "//") {
		return false
	}
	if strings.ContainsAny(first, ".:") || first == "localhost" {
		return hostLike.MatchString(first)
	}
	// A namespace of docker.io: system roles and rules have slashes and colons too,
	// so the tag must look like a version.
	return isImageKey(key) || versionLike.MatchString(w[len(repository)+1:]) || strings.Contains(w, "@sha256:")
}

var versionLike = regexp.MustCompile(`^(v?[0-9]+(\.[0-9]+)+.*|latest|v[0-9]+)$`)

// isImageKey reports whether a key is for an image: image, sidecarImage, image-tag.
func isImageKey(key string) bool { return strings.Contains(strings.ToLower(key), "image") }

// tagOf is the repository of a name, and whether it has a tag or a digest.
func tagOf(name string) (repository string, tagged bool) {
	head, _, pinned := strings.Cut(name, "@sha256:")
	if i := strings.LastIndexByte(head, ':'); i > strings.LastIndexByte(head, '/') {
		return head[:i], true
	}
	return head, pinned
}

func (m *mentions) add(name string, line int) {
	canonical, err := imageref.Canonical(name)
	if err != nil || m.known[canonical] {
		return // not a name, or a duplicate
	}
	m.known[canonical] = true
	m.list = append(m.list, Mention{canonical, line})
}
