package cri

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tomlItem is a table header or a key of a TOML text (toml.io, version 1.0).
// Anything that cannot be edited safely line by line, such as multi-line strings, is
// an error.
type tomlItem struct {
	line       int
	table      []string // the table that it is in, or is
	path       []string // table and key; of a header, the table
	header     bool
	many       bool // a header of an array of tables
	start, end int  // of the value; of a header, of its line with the line break
	indent     string
}

// tomlScan is a scanner of a TOML text.
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
			err = errors.New("unexpected text after the value")
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

// item scans a header or a key with its value.
func (s *tomlScan) item(item *tomlItem, table []string) (err error) {
	if !s.take("[") {
		key, err := s.key()
		if err != nil {
			return err
		}
		item.table, item.path = table, slices.Concat(table, key)
		if !s.take("=") {
			return errors.New("missing = after the key")
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
		return errors.New("unterminated table name")
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

// ended skips blanks, a comment and the line break; it returns false before anything
// else.
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

// key scans a key of one or more parts, and the blanks after it.
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
		return "", errors.New("missing key")
	}
	return s.text[begin:s.at], nil
}

// bare are the characters of a bare key.
const bare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// quoted skips a quoted string on one line.
func (s *tomlScan) quoted() error {
	q := s.text[s.at]
	if s.take(strings.Repeat(string(q), 3)) { //nolint:mnd // three quotes begin a multi-line string
		return errors.New("multi-line strings are not supported")
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
	return errors.New("unterminated string")
}

// maxTOMLDepth bounds arrays within arrays.
const maxTOMLDepth = 50

// value skips a value.
func (s *tomlScan) value(depth int) error {
	if s.at >= len(s.text) || depth > maxTOMLDepth {
		return errors.New("missing value")
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
		return errors.New("missing value")
	}
	return nil
}

// list skips an array or an inline table. It does not check the separators:
// containerd parses the file.
func (s *tomlScan) list(end string, depth int) error {
	s.at++
	for {
		for s.at < len(s.text) && s.ended() {
		}
		switch {
		case s.at >= len(s.text):
			return errors.New("unterminated list")
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

// unquoteTOML returns the value of a quoted literal.
func unquoteTOML(literal string) (string, error) {
	if strings.HasPrefix(literal, "'") && len(literal) > 1 {
		return literal[1 : len(literal)-1], nil
	}
	text, err := strconv.Unquote(literal)
	if err != nil {
		return "", fmt.Errorf("%s is not a string", literal)
	}
	return text, nil
}

// findTOML returns the index of the key at path, -1 if it is not set.
func findTOML(items []tomlItem, path []string) int {
	return slices.IndexFunc(items, func(i tomlItem) bool { return !i.header && slices.Equal(i.path, path) })
}

// setTOML sets a key to a literal: in place, in its table, or in a new table at the
// end. It returns a *badFile without a path if the text has that table in a form to
// which a key cannot be added.
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
			return "", &badFile{line: i.line, says: fmt.Sprintf("line %d: cannot add a key to %s in this form", i.line, spellTOML(i.path))}
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

// within reports whether path is prefix or below it.
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
