package repodata

import "io"

// content returns the text of the element whose start was just read, up to its
// end; elements within are passed over.
func (s *scanner) content() ([]byte, error) {
	tok, err := s.next()
	if err != nil || tok == tokenEnd {
		return nil, err
	}
	s.merged = s.merged[:0]
	for depth := 0; ; {
		switch tok {
		case tokenText:
			if depth == 0 {
				if len(s.merged)+len(s.text) > maxToken {
					return nil, s.errorf("%w", errLongToken)
				}
				s.merged = append(s.merged, s.text...)
			}
		case tokenStart:
			depth++
		case tokenEnd:
			if depth == 0 {
				return s.merged, nil
			}
			depth--
		case tokenEOF:
			return nil, io.ErrUnexpectedEOF
		}
		if tok, err = s.next(); err != nil {
			return nil, err
		}
	}
}

// skip reads to the end of the element whose start was just read.
func (s *scanner) skip() error {
	_, err := s.content()
	return err
}

// children calls visit at the start of every child of the element whose start
// was just read, and returns behind that element's end. visit reads the child
// to its end. Text between the children is passed over.
func (s *scanner) children(visit func() error) error {
	for {
		tok, err := s.next()
		if err != nil {
			return err
		}
		switch tok {
		case tokenStart:
			if err := visit(); err != nil {
				return err
			}
		case tokenEnd:
			return nil
		case tokenEOF:
			return io.ErrUnexpectedEOF
		}
	}
}

// root reads up to the start of the root element, which must have that name,
// and returns an error for another kind of document.
func (s *scanner) root(name string, want space) error {
	tok, err := s.next()
	if err != nil {
		return err
	}
	if tok != tokenStart || string(s.local) != name || s.space != want && s.space != spaceNone {
		return s.errorf("the document is <%s>, want <%s>", s.local, name)
	}
	return nil
}

// finishDocument reads what stands behind the root element: nothing.
func (s *scanner) finishDocument() error {
	_, err := s.next()
	return err
}
