package repodata

import (
	"fmt"
	"io"
	"strconv"
)

// maxData bounds the files one repomd.xml names; real ones name some 20.
const maxData = 256

// ReadRepomd reads repomd.xml. Files other than primary, filelists and other
// (groups, modules, databases) are listed but not looked at.
func ReadRepomd(r io.Reader) (*Repomd, error) {
	s := newScanner(r)
	md := &Repomd{}
	if err := s.root("repomd", spaceRepo); err != nil {
		return nil, fmt.Errorf("cannot read repomd.xml: %w", err)
	}
	err := s.children(func() error {
		switch string(s.local) {
		case "revision":
			text, err := s.content()
			md.Revision = string(text)
			return err
		case "data":
			if len(md.Data) == maxData {
				return fmt.Errorf("more than %d files", maxData)
			}
			d, err := s.readData()
			if err != nil {
				return fmt.Errorf("data %q: %w", d.Type, err)
			}
			md.Data = append(md.Data, d)
			return nil
		}
		return s.skip()
	})
	if err == nil {
		err = s.finishDocument()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read repomd.xml: %w", err)
	}
	return md, nil
}

// readData reads one <data>.
func (s *scanner) readData() (Data, error) {
	kind, _ := s.attr("type")
	d := Data{Type: string(kind), Size: -1, OpenSize: -1}
	used := d.Type == Primary || d.Type == Filelists || d.Type == Other
	err := s.children(func() error {
		var err error
		switch string(s.local) {
		case "location":
			d.Location, d.Base = s.location()
			return s.skip()
		case "checksum":
			d.Checksum, err = s.checksum(used)
		case "open-checksum":
			d.OpenChecksum, err = s.checksum(used)
		case "size":
			d.Size, err = s.count()
		case "open-size":
			d.OpenSize, err = s.count()
		default:
			return s.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return d, err
	case d.Type == "":
		return d, fmt.Errorf("it has no type")
	case used && d.Location == "":
		return d, fmt.Errorf("it has no location")
	case used && d.Checksum.Type == "":
		return d, fmt.Errorf("it has no checksum")
	}
	return d, nil
}

func (s *scanner) location() (href, base string) {
	h, _ := s.attr("href")
	b, _ := s.attr("xml:base")
	return string(h), string(b)
}

// checksum reads <checksum type="T">HEX</checksum>; it is parsed strictly where
// it will be relied on.
func (s *scanner) checksum(strict bool) (Checksum, error) {
	kind, _ := s.attr("type")
	c := Checksum{Type: string(kind)}
	text, err := s.content()
	if err != nil {
		return c, err
	}
	c.Value = string(trimBoth(text))
	if !strict {
		return c, nil
	}
	return parseChecksum(c.Type, c.Value)
}

// count reads the text of an element that holds a number of bytes.
func (s *scanner) count() (int64, error) {
	name := string(s.local)
	text, err := s.content()
	if err != nil {
		return 0, err
	}
	return parseCount(name, trimBoth(text))
}

func parseCount(name string, text []byte) (int64, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s %q is not a number", name, text)
	}
	return n, nil
}

func trimBoth(b []byte) []byte {
	b = trimSpace(b)
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\n' || b[len(b)-1] == '\t' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
