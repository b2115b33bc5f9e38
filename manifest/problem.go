package manifest

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kubecrate/pkg/credential"
	"kubecrate/pkg/suggest"
)

const (
	// maxProblems limits the problems of one file that are printed.
	maxProblems = 10
	// maxFindings limits the problems that are collected.
	maxFindings = 1000
	// longestText is the length at which the text of a problem is truncated, in bytes.
	longestText = 500
)

// clean makes text from a file safe to print on one line of a terminal, and removes
// the secrets of URLs.
func clean(text string) string {
	text = credential.Redact(text)
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// Problem is one error in a manifest or a lock. Line and Column count from 1; 0
// means unknown.
type Problem struct {
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
}

// InvalidError is the error for an invalid manifest or lock. Its message has a line
// "FILE:LINE:COLUMN: text" for each problem, ten at most, in the order of the file.
type InvalidError struct {
	File     string
	Problems []Problem // sorted, all of them
}

// Error is one line a problem.
func (e *InvalidError) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are those of Error.
func (e *InvalidError) Lines() []string {
	var list []string
	for i, p := range e.Problems {
		if i == maxProblems {
			return append(list, fmt.Sprintf("%s: and %d more", e.File, len(e.Problems)-maxProblems))
		}
		at := e.File
		if p.Line > 0 {
			at += fmt.Sprintf(":%d", p.Line)
		}
		if p.Column > 0 {
			at += fmt.Sprintf(":%d", p.Column)
		}
		list = append(list, at+": "+p.Text)
	}
	return list
}

// invalid is an *InvalidError, or nil if there are no problems.
func invalid(file string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	sort.SliceStable(problems, func(i, j int) bool {
		if problems[i].Line != problems[j].Line {
			return problems[i].Line < problems[j].Line
		}
		return problems[i].Column < problems[j].Column
	})
	return &InvalidError{File: file, Problems: problems}
}

// path is the position of a value: keys and indexes, each after a NUL byte, which
// YAML text cannot contain. It prints as packages.repos[2].id.
type path string

const root path = ""

func (p path) key(k string) path  { return p + "\x00" + path(k) }
func (p path) index(i int) path   { return p + "\x00#" + path(strconv.Itoa(i)) }
func (p path) segments() []string { return strings.Split(string(p), "\x00")[1:] }

// split cuts the last segment off.
func (p path) split() (parent path, last string) {
	i := strings.LastIndexByte(string(p), 0)
	if i < 0 {
		return root, string(p)
	}
	return p[:i], string(p[i+1:])
}

func (p path) String() string {
	var b strings.Builder
	for _, s := range p.segments() {
		switch {
		case strings.HasPrefix(s, "#"):
			b.WriteString("[" + s[1:] + "]")
		case strings.ContainsAny(s, ".:/ "):
			b.WriteString("[" + s + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

func (p path) or(document string) string {
	if p == root {
		return document
	}
	return p.String()
}

func (p path) in() string {
	if p == root {
		return ""
	}
	return " in " + p.String()
}

func (p path) prefix() string {
	if p == root {
		return ""
	}
	return p.String() + ": "
}

// locate finds the node at p below n. If there is none, it returns the nearest one
// above and false.
func locate(n *yaml.Node, p path) (*yaml.Node, bool) {
	for _, s := range p.segments() {
		next := child(n, s)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

func child(n *yaml.Node, segment string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		i, err := strconv.Atoi(strings.TrimPrefix(segment, "#"))
		if err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == segment {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// findings collects the errors of a validation, by path.
type findings struct {
	list  []finding
	words Words // that a manifest may use
}

type finding struct {
	at      path
	text    string
	missing bool
}

func (f *findings) add(at path, format string, args ...any) {
	f.put(finding{at: at, text: fmt.Sprintf(format, args...)})
}

// need adds a finding if the value at path at is empty, and returns whether it is not.
func (f *findings) need(at path, value string) bool {
	if value == "" {
		f.put(finding{at: at, missing: true})
	}
	return value != ""
}

func (f *findings) put(x finding) {
	if len(f.list) < maxFindings {
		f.list = append(f.list, x)
	}
}

// problems adds to each finding its position in doc, which may be nil.
func (f *findings) problems(doc *yaml.Node) []Problem {
	var all []Problem
	for _, x := range f.list {
		var p Problem
		exact := false
		if doc != nil {
			var n *yaml.Node
			n, exact = locate(doc, x.at)
			p.Line, p.Column = n.Line, n.Column
		}
		parent, last := x.at.split()
		switch {
		case x.missing && exact:
			p.Text = x.at.String() + " must not be empty"
		case x.missing:
			p.Text = fmt.Sprintf("missing key %q%s", last, parent.in())
		default:
			p.Text = x.at.prefix() + x.text
		}
		p.Text = clean(p.Text)
		all = append(all, p)
	}
	return all
}

// guess is " (did you mean ...?)" with the known word closest to word, or a list of
// the known words if none is close.
func guess(word string, known []string) string {
	sort.Strings(known)
	best, distance := "", 3
	for _, k := range known {
		if d := suggest.Distance(strings.ToLower(word), strings.ToLower(k)); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known: " + strings.Join(known, ", ") + ")"
}
