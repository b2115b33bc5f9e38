package cri

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tomlItem is a table header or a key of a TOML text (toml.io, version 1.0).
// What cannot be changed safely line by line, such as texts over several lines,
// is not read at all.
type tomlItem struct {
	line       int
	table      []string // the table that it stands in, or is
	path       []string // table and key; of a header, the table
	header     bool
	many       bool // a header of an array of tables
	start, end int  // of the value; of a header, of its line with the line break
	indent     string
}

// tomlScan goes through a TOML text.
type tomlScan struct {
	text string
	at   int
}

// scanTOML lists the headers and keys of a text. Errors are *badFile without a
// path.
func scanTOML(text string) ([]tomlItem, error) {
	s := &tomlScan{text: text}
	var items []tomlItem
	var table []string
	for {
		begin := s.at
		s.space()
		indent := text[begin:s.at]
		if s.at >= len(text) {
			return items, nil
		}
		if s.ended() {
			continue
		}
		item := tomlItem{line: 1 + strings.Count(text[:s.at], "\n"), indent: indent}
		err := s.item(&item, table)
		if err == nil && !s.ended() {
			err = errors.New("something follows the value")
		}
		if err != nil {
			line := 1 + strings.Count(text[:min(s.at, len(text))], "\n")
			return nil, &badFile{line: line, says: fmt.Sprintf("line %d: %v", line, err)}
		}
		if item.header {
			table = item.path
			item.start, item.end = begin, s.at
		}
		items = append(items, item)
	}
}

// item reads a header or a key with its value.
func (s *tomlScan) item(item *tomlItem, table []string) (err error) {
	if !s.take("[") {
		key, err := s.key()
		if err != nil {
			return err
		}
		item.table, item.path = table, slices.Concat(table, key)
		if !s.take("=") {
			return errors.New("there is no = behind the key")
		}
		s.space()
		item.start = s.at
		err = s.value(0)
		item.end = s.at
		return err
	}
	item.header, item.many = true, s.take("[")
	s.space()
	if item.path, err = s.key(); err != nil {
		return err
	}
	item.table = item.path
	if !s.take("]") || item.many && !s.take("]") {
		return errors.New("the table's name does not end")
	}
	return nil
}

func (s *tomlScan) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\t') {
		s.at++
	}
}

func (s *tomlScan) take(what string) bool {
	if !strings.HasPrefix(s.text[s.at:], what) {
		return false
	}
	s.at += len(what)
	return true
}

// ended goes past blanks, a comment and the line break; false where something
// else is there.
func (s *tomlScan) ended() bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == '#' {
		end := strings.IndexByte(s.text[s.at:], '\n')
		if end < 0 {
			end = len(s.text) - s.at
		}
		s.at += end
	}
	return s.at == len(s.text) || s.take("\n") || s.take("\r\n")
}

// key reads a key of one or several parts, and the blanks behind it.
func (s *tomlScan) key() (path []string, err error) {
	for {
		part, err := s.part()
		if err != nil {
			return nil, err
		}
		path = append(path, part)
		s.space()
		if !s.take(".") {
			return path, nil
		}
		s.space()
	}
}

func (s *tomlScan) part() (string, error) {
	begin := s.at
	if s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '\'') {
		if err := s.quoted(); err != nil {
			return "", err
		}
		return unquoteTOML(s.text[begin:s.at])
	}
	for s.at < len(s.text) && strings.IndexByte(bare, s.text[s.at]) >= 0 {
		s.at++
	}
	if s.at == begin {
		return "", errors.New("there is no key")
	}
	return s.text[begin:s.at], nil
}

// bare are the letters of a key without quotes.
const bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// quoted goes past a text in quotes on one line.
func (s *tomlScan) quoted() error {
	q := s.text[s.at]
	if s.take(strings.Repeat(string(q), 3)) { //nolint:mnd // three quotes begin a long text
		return errors.New("a text over several lines")
	}
	for i := s.at + 1; i < len(s.text) && s.text[i] != '\n'; i++ {
		switch {
		case s.text[i] == '\\' && q == '"':
			i++
		case s.text[i] == q:
			s.at = i + 1
			return nil
		}
	}
	return errors.New("a text does not end")
}

// maxTOMLDepth bounds arrays within arrays.
const maxTOMLDepth = 50

// value goes past a value.
func (s *tomlScan) value(depth int) error {
	if s.at >= len(s.text) || depth > maxTOMLDepth {
		return errors.New("there is no value")
	}
	switch c := s.text[s.at]; c {
	case '"', '\'':
		return s.quoted()
	case '[', '{':
		return s.list(map[byte]string{'[': "]", '{': "}"}[c], depth)
	}
	begin := s.at
	for s.at < len(s.text) && !strings.ContainsRune(",]}#\r\n", rune(s.text[s.at])) {
		s.at++
	}
	s.at = begin + len(strings.TrimRight(s.text[begin:s.at], " \t"))
	if s.at == begin {
		return errors.New("there is no value")
	}
	return nil
}

// list goes past an array or an inline table. What lies between its values may
// be anything: containerd reads the file for real.
func (s *tomlScan) list(end string, depth int) error {
	s.at++
	for {
		for s.at < len(s.text) && s.ended() {
		}
		switch {
		case s.at >= len(s.text):
			return errors.New("a list does not end")
		case s.take(end):
			return nil
		case s.take(","), s.take("="):
		default:
			if err := s.value(depth + 1); err != nil {
				return err
			}
		}
	}
}

// unquoteTOML is the text of a literal in quotes.
func unquoteTOML(literal string) (string, error) {
	if strings.HasPrefix(literal, "'") && len(literal) > 1 {
		return literal[1 : len(literal)-1], nil
	}
	text, err := strconv.Unquote(literal)
	if err != nil {
		return "", fmt.Errorf("%s is not a text", literal)
	}
	return text, nil
}

// findTOML is the key at path, -1 where it is not set.
func findTOML(items []tomlItem, path []string) int {
	return slices.IndexFunc(items, func(i tomlItem) bool { return !i.header && slices.Equal(i.path, path) })
}

// setTOML sets a key to a literal: in its place, or in its table, or in a new
// table at the end. Errors are *badFile without a path, where the text has that
// table in a form that cannot be added to.
func setTOML(text string, path []string, literal string) (string, error) {
	items, err := scanTOML(text)
	if err != nil {
		return "", err
	}
	if i := findTOML(items, path); i >= 0 {
		return text[:items[i].start] + literal + text[items[i].end:], nil
	}
	table := path[:len(path)-1]
	into := -1
	for n, i := range items {
		if within(path, i.path) && (!i.header || i.many) || !i.header && within(i.path, table) && !within(i.table, table) {
			return "", &badFile{line: i.line, says: fmt.Sprintf("line %d: it has %s in a form that cannot be added to", i.line, spellTOML(i.path))}
		}
		if i.header && slices.Equal(i.path, table) {
			into = n
		}
	}
	added := spellTOML(path[len(path)-1:]) + " = " + literal + "\n"
	if len(table) == 0 {
		return added + text, nil
	}
	if into >= 0 {
		head := items[into]
		line := text[head.start:head.end]
		if !strings.HasSuffix(line, "\n") {
			line += "\n"
		}
		return text[:head.start] + line + head.indent + "  " + added + text[head.end:], nil
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + "\n[" + spellTOML(table) + "]\n  " + added, nil
}

// within says that path is prefix or lies below it.
func within(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func spellTOML(path []string) string {
	parts := make([]string, len(path))
	for i, p := range path {
		parts[i] = p
		if p == "" || strings.ContainsFunc(p, func(r rune) bool { return !strings.ContainsRune(bare, r) }) {
			parts[i] = strconv.Quote(p)
		}
	}
	return strings.Join(parts, ".")
}
