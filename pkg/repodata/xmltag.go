package repodata

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readStart reads <name attr="value" ...> or <name .../>.
func (s *scanner) readStart() error {
	n, err := s.tagEnd()
	if err != nil {
		return err
	}
	if s.rooted && len(s.stack) == 0 {
		return s.errorf("a second root element")
	}
	tag := s.buf[s.r+1 : s.r+n]
	empty := len(tag) > 0 && tag[len(tag)-1] == '/'
	if empty {
		tag = tag[:len(tag)-1]
	}
	size := nameLen(tag)
	if size == 0 {
		return s.errorf("< without a name")
	}
	name, rest := tag[:size], tag[size:]
	if err := s.readAttrs(rest); err != nil {
		return s.errorf("element %s: %w", name, err)
	}
	if err := s.push(name); err != nil {
		return s.errorf("element %s: %w", name, err)
	}
	s.r += n + 1
	s.rooted, s.selfEnd = true, empty
	return nil
}

// tagEnd is the length of the tag at buf[r:] up to the '>' that ends it, which
// is not one within quotes.
func (s *scanner) tagEnd() (int, error) {
	var quote byte
	for i := 1; ; {
		b := s.buf[s.r:s.w]
		for ; i < len(b); i++ {
			c := b[i]
			switch {
			case quote != 0:
				k := bytes.IndexByte(b[i:], quote)
				if k < 0 {
					i = len(b) - 1
					break
				}
				i += k
				quote = 0
			case c == '>':
				return i, nil
			case c == '"' || c == '\'':
				quote = c
			}
		}
		if err := s.more(); err != nil {
			return 0, noEOF(err)
		}
	}
}

// readAttrs fills s.attrs from what stands behind an element's name.
func (s *scanner) readAttrs(b []byte) error {
	s.attrs, s.scratch = s.attrs[:0], s.scratch[:0]
	for {
		trimmed := trimSpace(b)
		if len(trimmed) == 0 {
			return nil
		}
		if len(s.attrs) == maxAttrs {
			return fmt.Errorf("more than %d attributes", maxAttrs)
		}
		n := nameLen(trimmed)
		if n == 0 {
			return errors.New("not an attribute")
		}
		name := trimmed[:n]
		if bytes.Count(name, []byte(":")) > 1 {
			return fmt.Errorf("attribute %s: a name with a misplaced colon", name)
		}
		b = trimSpace(trimmed[n:])
		if len(b) == 0 || b[0] != '=' {
			return fmt.Errorf("attribute %s without a value", name)
		}
		b = trimSpace(b[1:])
		if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
			return fmt.Errorf("attribute %s without quotes", name)
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 {
			return fmt.Errorf("attribute %s without its closing quote", name)
		}
		raw := b[1 : 1+end]
		b = b[end+2:]
		value, scratch, err := decode(raw, s.scratch, inAttr)
		if err != nil {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
		s.scratch = scratch
		if _, dup := s.attr(string(name)); dup {
			return fmt.Errorf("duplicate attribute %s", name)
		}
		s.attrs = append(s.attrs, attr{name, value})
	}
}

// attr returns the value of the current element's attribute of that full name.
func (s *scanner) attr(name string) ([]byte, bool) {
	for i := range s.attrs {
		if string(s.attrs[i].name) == name {
			return s.attrs[i].value, true
		}
	}
	return nil, false
}

// push opens an element: it declares the namespaces among s.attrs and resolves
// the name.
func (s *scanner) push(name []byte) error {
	if len(s.stack) == maxDepth {
		return fmt.Errorf("elements nested deeper than %d", maxDepth)
	}
	bound := len(s.bindings)
	for _, a := range s.attrs {
		if !bytes.HasPrefix(a.name, []byte("xmlns")) {
			continue
		}
		prefix := ""
		if rest := string(a.name[5:]); rest != "" {
			if rest[0] != ':' {
				continue
			}
			if prefix = rest[1:]; prefix == "" || len(a.value) == 0 {
				return errors.New("a namespace without a name")
			}
		}
		if len(s.bindings) == maxAttrs {
			return fmt.Errorf("more than %d namespaces", maxAttrs)
		}
		s.bindings = append(s.bindings, binding{prefix: prefix, space: spaceOf(a.value)})
	}
	if err := s.resolve(name); err != nil {
		return err
	}
	s.names = append(s.names, name...)
	s.stack = append(s.stack, open{end: len(s.names), space: s.space, bound: bound})
	return nil
}

func (s *scanner) resolve(name []byte) error {
	s.prefix, s.local = nil, name
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		s.prefix, s.local = name[:i], name[i+1:]
		if i == 0 || len(s.local) == 0 || bytes.IndexByte(s.local, ':') >= 0 {
			return errors.New("a name with a misplaced colon")
		}
	}
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(s.prefix) {
			s.space = s.bindings[i].space
			return nil
		}
	}
	s.space = spaceNone
	if len(s.prefix) > 0 {
		return fmt.Errorf("the prefix %s is not declared", s.prefix)
	}
	return nil
}

// readEnd reads </name>.
func (s *scanner) readEnd() error {
	n, err := s.until(2, ">")
	if err != nil {
		return err
	}
	tag := s.buf[s.r+2 : s.r+n]
	name := tag[:nameLen(tag)]
	if len(trimSpace(tag[len(name):])) > 0 || len(name) == 0 {
		return s.errorf("an end tag with more than a name")
	}
	if len(s.stack) == 0 {
		return s.errorf("</%s> without a start tag", name)
	}
	if want := s.current(); string(name) != string(want) {
		return s.errorf("<%s> is closed by </%s>", want, name)
	}
	s.r += n + 1
	s.pop()
	return nil
}

// current is the full name of the innermost open element.
func (s *scanner) current() []byte {
	begin := 0
	if k := len(s.stack); k > 1 {
		begin = s.stack[k-2].end
	}
	return s.names[begin:s.stack[len(s.stack)-1].end]
}

// pop closes the innermost element and leaves its name in prefix and local.
func (s *scanner) pop() {
	name := s.current()
	top := s.stack[len(s.stack)-1]
	s.prefix, s.local, s.space = nil, name, top.space
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		s.prefix, s.local = name[:i], name[i+1:]
	}
	s.names = s.names[:len(s.names)-len(name)]
	s.stack = s.stack[:len(s.stack)-1]
	s.bindings = s.bindings[:top.bound]
	s.attrs = s.attrs[:0]
}

// readInstruction skips <?target ...?>. The XML declaration may stand at the
// very beginning only, and its encoding must be UTF-8 or its subset ASCII.
func (s *scanner) readInstruction() error {
	n, err := s.until(2, "?>")
	if err != nil {
		return err
	}
	body := s.buf[s.r+2 : s.r+n]
	size := nameLen(body)
	target := string(body[:size])
	switch {
	case size == 0 || size < len(body) && len(trimSpace(body[size:])) == len(body)-size:
		return s.errorf("an instruction without a name")
	case target == "xml":
		if s.base+int64(s.r) != s.bom {
			return s.errorf("an XML declaration that is not at the start")
		}
		if err := s.declaration(body[size:]); err != nil {
			return s.errorf("%w", err)
		}
	case strings.EqualFold(target, "xml"):
		return s.errorf("the instruction %s is reserved", target)
	}
	if _, _, err := decode(body, nil, inVerbatim); err != nil {
		return s.errorf("%w", err)
	}
	s.r += n + 2
	return nil
}

func (s *scanner) declaration(b []byte) error {
	if err := s.readAttrs(b); err != nil {
		return fmt.Errorf("XML declaration: %w", err)
	}
	if v, ok := s.attr("version"); !ok || string(v) != "1.0" {
		return fmt.Errorf("XML version %q, only 1.0 is supported", v)
	}
	if v, ok := s.attr("encoding"); ok && !strings.EqualFold(string(v), "utf-8") && !strings.EqualFold(string(v), "us-ascii") {
		return fmt.Errorf("encoding %q, only UTF-8 is supported", v)
	}
	return nil
}

// nameLen is the length of the name that b begins with. Names of metadata are
// ASCII.
func nameLen(b []byte) int {
	for i, c := range b {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == ':':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return i
		}
	}
	return len(b)
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// place is where characters stand, which decides what they may be.
type place uint8

const (
	inText     place = iota // between tags: references, no "]]>"
	inAttr                  // between quotes: references, no "<"
	inVerbatim              // CDATA, comments, instructions: no references
)

// odd marks the bytes that decode must look at.
var odd = func() (t [256]bool) {
	for i := range t {
		t[i] = i < 0x20 && i != '\t' && i != '\n' || i >= 0x80
	}
	t['&'], t['<'], t['>'] = true, true, true
	return t
}()

// decode resolves references, turns line ends into \n and checks that every
// character is one XML allows. It returns raw itself where there is nothing to
// do, else a piece appended to scratch; scratch is returned grown.
func decode(raw, scratch []byte, where place) (value, grown []byte, err error) {
	i := 0
	for i < len(raw) && !odd[raw[i]] {
		i++
	}
	if i == len(raw) {
		return raw, scratch, nil
	}
	begin := len(scratch)
	scratch = append(scratch, raw[:i]...)
	for i < len(raw) {
		c := raw[i]
		switch {
		case !odd[c]:
			scratch = append(scratch, c)
			i++
		case c == '&' && where != inVerbatim:
			n := 0
			scratch, n, err = reference(scratch, raw[i:])
			if err != nil {
				return nil, scratch, err
			}
			i += n
		case c == '\r':
			scratch = append(scratch, '\n')
			if i++; i < len(raw) && raw[i] == '\n' {
				i++
			}
		case c == '<' && where == inAttr:
			return nil, scratch, errors.New("< within an attribute")
		case c == '>' && where == inText && i >= 2 && raw[i-1] == ']' && raw[i-2] == ']':
			return nil, scratch, errors.New("]]> within text")
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, scratch, errors.New("text that is not UTF-8")
			}
			if !isChar(r) {
				return nil, scratch, fmt.Errorf("the character %U is not allowed in XML", r)
			}
			scratch = append(scratch, raw[i:i+n]...)
			i += n
		}
	}
	return scratch[begin:len(scratch):len(scratch)], scratch, nil
}

// reference appends what the reference at b[0] stands for and returns its
// length: one of the five predefined entities or a character.
func reference(dst, b []byte) ([]byte, int, error) {
	end := bytes.IndexByte(b[:min(len(b), 16)], ';')
	if end < 0 {
		return dst, 0, errors.New("& without a reference")
	}
	name := string(b[1:end])
	switch name {
	case "lt":
		return append(dst, '<'), end + 1, nil
	case "gt":
		return append(dst, '>'), end + 1, nil
	case "amp":
		return append(dst, '&'), end + 1, nil
	case "quot":
		return append(dst, '"'), end + 1, nil
	case "apos":
		return append(dst, '\''), end + 1, nil
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return dst, 0, fmt.Errorf("the entity &%s; is not declared", name)
	}
	base := 10
	if hexDigits, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hexDigits, 16
	}
	code, err := strconv.ParseUint(digits, base, 32)
	if err != nil || code > utf8.MaxRune || !isChar(rune(code)) {
		return dst, 0, fmt.Errorf("&%s; is not a character", name)
	}
	return utf8.AppendRune(dst, rune(code)), end + 1, nil
}

// isChar says whether XML allows r. Source: XML 1.0, production Char.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff ||
		r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}
