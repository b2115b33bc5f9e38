package cni

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

const (
	// nodeIP is the variable that holds the host's address in the cluster.
	nodeIP = "NODE_IP"
	hostIP = "status.hostIP" // the field of a pod with it
)

// envOf is the list of a container's variables, made where it has none.
func envOf(container *yaml.Node) *yaml.Node {
	env := get(container, "env")
	if env == nil || env.Kind != yaml.SequenceNode {
		env = &yaml.Node{Kind: yaml.SequenceNode}
		container.Content = append(container.Content, scalar("env"), env)
	}
	return env
}

// find is the last variable of a name, which is the one that counts; -1 for none.
func find(env *yaml.Node, name string) int {
	at := -1
	for i, v := range list(env) {
		if text(get(v, "name")) == name {
			at = i
		}
	}
	return at
}

// fieldOf is where a variable's value comes from, if it is a field of the pod.
func fieldOf(variable *yaml.Node) string {
	return text(get(variable, "valueFrom", "fieldRef", "fieldPath"))
}

// setVariable gives a container a variable: in the place of the one of that name,
// or of a comment that shows it, or before the others.
func (d *document) setVariable(container *yaml.Node, name, value string) {
	env := envOf(container)
	item := mapping("name", scalar(name), "value", quoted(value))
	lines := []string{"- name: " + name, "  value: " + strconv.Quote(value)}
	if at := find(env, name); at >= 0 {
		if v := target(env.Content[at]); text(get(v, "value")) != value || get(v, "valueFrom") != nil {
			d.replace(env, at, item, lines...)
		}
		return
	}
	if !d.uncomment(env, item, lines...) {
		d.prepend(env, item, lines...)
	}
}

// setField is setVariable for a field of the pod, which no comment shows.
func (d *document) setField(container *yaml.Node, name, path string) {
	env := envOf(container)
	item := mapping("name", scalar(name), "valueFrom", mapping("fieldRef", mapping("fieldPath", scalar(path))))
	lines := []string{"- name: " + name, "  valueFrom:", "    fieldRef:", "      fieldPath: " + path}
	if at := find(env, name); at >= 0 {
		if fieldOf(env.Content[at]) != path {
			d.replace(env, at, item, lines...)
		}
		return
	}
	d.prepend(env, item, lines...)
}

func scalar(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}

func quoted(value string) *yaml.Node {
	n := scalar(value)
	n.Style = yaml.DoubleQuotedStyle
	return n
}

// mapping is made of keys and nodes in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		value, _ := pairs[i+1].(*yaml.Node)
		n.Content = append(n.Content, scalar(key), value)
	}
	return n
}
