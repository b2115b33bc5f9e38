package repodata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds of the XML that is read. The longest token of real metadata is a
// description of some 20 KB; rich dependencies and licenses stay far below.
const (
	maxToken = 1 << 20 // bytes of one tag, text, comment or CDATA section
	maxDepth = 64      // elements open at once; metadata has 5
	maxAttrs = 64      // attributes of one element, and namespaces in scope
)

// token is what next found.
type token uint8

const (
	tokenEOF   token = iota // after the root element
	tokenStart              // prefix, local, space and attrs are set
	tokenEnd                // prefix, local and space are set
	tokenText               // text is set: character data or a CDATA section
)

// space is a namespace, as far as metadata has them.
type space uint8

const (
	spaceNone space = iota // no namespace declared
	spaceCommon
	spaceRPM
	spaceFilelists
	spaceRepo
	spaceForeign // any other: its elements are not ours
)

func spaceOf(uri []byte) space {
	switch string(uri) {
	case "":
		return spaceNone
	case nsCommon:
		return spaceCommon
	case nsRPM:
		return spaceRPM
	case nsFilelists:
		return spaceFilelists
	case nsRepo:
		return spaceRepo
	}
	return spaceForeign
}

// The namespaces of yum metadata.
const (
	nsCommon    = "http://linux.duke.edu/metadata/common"
	nsRPM       = "http://linux.duke.edu/metadata/rpm"
	nsFilelists = "http://linux.duke.edu/metadata/filelists"
	nsRepo      = "http://linux.duke.edu/metadata/repo"
	nsOther     = "http://linux.duke.edu/metadata/other"
)

type attr struct {
	name, value []byte
}

// binding is a namespace declaration.
type binding struct {
	prefix string
	space  space
}

type open struct {
	end   int // of the name in scanner.names
	space space
	bound int // len(scanner.bindings) before this element
}

// scanner is a pull parser for the XML that yum metadata is written in: UTF-8,
// elements, attributes, text, CDATA, comments, processing instructions and
// namespaces. What it accepts, encoding/xml accepts too and reads alike, at a
// tenth of the speed; what it refuses on top are document types, non-ASCII
// element names, repeated attributes, undeclared prefixes, text beside the root
// and anything beyond the bounds above.
//
// Slices it hands out are valid until the next call.
type scanner struct {
	src  io.Reader
	buf  []byte
	r, w int   // unread bytes are buf[r:w]
	base int64 // offset of buf[0] in the document
	eof  bool
	err  error // of src, other than io.EOF

	prefix, local []byte
	space         space
	attrs         []attr
	text          []byte

	names    []byte // of the open elements, one behind the other
	stack    []open
	bindings []binding
	bom      int64 // bytes of the byte order mark in front
	rooted   bool  // the root element was seen
	selfEnd  bool  // the start just returned was <x/>: its end comes next
	scratch  []byte
	merged   []byte
}

func newScanner(src io.Reader) *scanner {
	return &scanner{src: src, buf: make([]byte, 64<<10)}
}

// errorf is an error with the place it was found at.
func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %w", s.base+int64(s.r), fmt.Errorf(format, args...))
}

var errLongToken = fmt.Errorf("a tag or text is longer than %d bytes", maxToken)

// more reads further bytes behind buf[r:w], moving them to the front and
// growing the buffer as needed. It returns io.EOF at the end of the document.
func (s *scanner) more() error {
	if s.err != nil {
		return s.err
	}
	if s.eof {
		return io.EOF
	}
	if s.r > 0 {
		s.base += int64(s.r)
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if s.w == len(s.buf) {
		if len(s.buf) >= maxToken {
			return s.errorf("%w", errLongToken)
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.w:])
		s.w += n
		switch {
		case errors.Is(err, io.EOF):
			s.eof = true
		case err != nil:
			s.err = err
		}
		if n > 0 {
			return nil
		}
		if s.err != nil {
			return s.err
		}
		if s.eof {
			return io.EOF
		}
	}
	return io.ErrNoProgress
}

// need makes n bytes available at buf[r:]; a document that ends before is an
// error.
func (s *scanner) need(n int) error {
	for s.w-s.r < n {
		if err := s.more(); err != nil {
			return noEOF(err)
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// until returns the length of buf[r:] before the first sep at or behind from.
func (s *scanner) until(from int, sep string) (int, error) {
	for {
		if i := indexFrom(s.buf[s.r:s.w], from, sep); i >= 0 {
			return i, nil
		}
		from = max(from, s.w-s.r-len(sep)+1)
		if err := s.more(); err != nil {
			return 0, noEOF(err)
		}
	}
}

func indexFrom(b []byte, from int, sep string) int {
	if from > len(b) {
		return -1
	}
	i := 0
	if len(sep) == 1 {
		i = bytes.IndexByte(b[from:], sep[0])
	} else {
		i = bytes.Index(b[from:], []byte(sep))
	}
	if i < 0 {
		return -1
	}
	return from + i
}

// next returns the next token. The error is io.ErrUnexpectedEOF for a document
// that is cut.
func (s *scanner) next() (token, error) {
	if s.selfEnd {
		s.selfEnd = false
		s.pop()
		return tokenEnd, nil
	}
	for {
		if s.r == s.w {
			if err := s.more(); errors.Is(err, io.EOF) {
				return s.finish()
			} else if err != nil {
				return tokenEOF, err
			}
		}
		tok, ok, err := s.step()
		if err != nil {
			return tokenEOF, err
		}
		if ok {
			return tok, nil
		}
	}
}

func (s *scanner) finish() (token, error) {
	if len(s.stack) > 0 || !s.rooted {
		return tokenEOF, io.ErrUnexpectedEOF
	}
	return tokenEOF, nil
}

// step reads one token; ok is false for what is not handed out (comments,
// instructions, space beside the root).
func (s *scanner) step() (tok token, ok bool, err error) {
	if s.buf[s.r] != '<' {
		return s.readText()
	}
	if err := s.need(2); err != nil {
		return 0, false, err
	}
	switch s.buf[s.r+1] {
	case '/':
		return tokenEnd, true, s.readEnd()
	case '?':
		return 0, false, s.readInstruction()
	case '!':
		return s.readBang()
	}
	return tokenStart, true, s.readStart()
}

// readText reads character data up to the next tag. Outside of the root only
// space may stand, and a byte order mark in front.
func (s *scanner) readText() (token, bool, error) {
	n, err := s.until(0, "<")
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && len(s.stack) == 0 && s.err == nil:
		n = s.w - s.r
	case err != nil:
		return 0, false, err
	}
	raw := s.buf[s.r : s.r+n]
	if len(s.stack) == 0 {
		if s.base+int64(s.r) == 0 && bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
			s.r, s.bom = s.r+3, 3
			return 0, false, nil
		}
		if len(bytes.Trim(raw, " \t\r\n")) > 0 {
			return 0, false, s.errorf("text outside of the root element")
		}
		s.r += n
		return 0, false, nil
	}
	s.text, s.scratch, err = decode(raw, s.scratch[:0], inText)
	if err != nil {
		return 0, false, s.errorf("%w", err)
	}
	s.r += n
	return tokenText, true, nil
}

// readBang reads a comment or a CDATA section; a document type is refused.
func (s *scanner) readBang() (token, bool, error) {
	if err := s.need(4); err != nil {
		return 0, false, err
	}
	if string(s.buf[s.r:s.r+4]) == "<!--" {
		n, err := s.until(4, "--")
		if err != nil {
			return 0, false, err
		}
		if err := s.need(n + 3); err != nil {
			return 0, false, err
		}
		if s.buf[s.r+n+2] != '>' {
			return 0, false, s.errorf("-- within a comment")
		}
		if _, _, err := decode(s.buf[s.r+4:s.r+n], nil, inVerbatim); err != nil {
			return 0, false, s.errorf("%w", err)
		}
		s.r += n + 3
		return 0, false, nil
	}
	const cdata = "<![CDATA["
	if err := s.need(len(cdata)); err != nil {
		return 0, false, err
	}
	if string(s.buf[s.r:s.r+len(cdata)]) != cdata {
		return 0, false, s.errorf("a document type or another declaration is not allowed in metadata")
	}
	if len(s.stack) == 0 {
		return 0, false, s.errorf("text outside of the root element")
	}
	n, err := s.until(len(cdata), "]]>")
	if err != nil {
		return 0, false, err
	}
	s.text, s.scratch, err = decode(s.buf[s.r+len(cdata):s.r+n], s.scratch[:0], inVerbatim)
	if err != nil {
		return 0, false, s.errorf("%w", err)
	}
	s.r += n + 3
	return tokenText, true, nil
}
