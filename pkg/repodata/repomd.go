package repodata

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxData bounds the files one repomd.xml names; real ones name some 20.
const maxData = 256

// ReadRepomd reads repomd.xml. The files that it names, metadata of all kinds
// (groups, databases) are listed; only an entry of primary that cannot be used
// is an error, of the others Data.Check tells.
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
			if _, typed := s.attr("type"); !typed {
				return s.skip()
			}
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
	used := d.Type == Primary
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
			d.Size, err = s.count(used)
		case "open-size":
			d.OpenSize, err = s.count(used)
		default:
			return s.skip()
		}
		return err
	})
	if err == nil && used {
		err = d.Check()
	}
	return d, err
}

// Check says what keeps the file from being read, if anything does.
func (d Data) Check() error {
	switch {
	case d.Location == "":
		return errors.New("it has no location")
	case d.Checksum.Type == "":
		return errors.New("it has no checksum")
	}
	if _, err := parseChecksum(d.Checksum.Type, d.Checksum.Value); err != nil {
		return err
	}
	if d.OpenChecksum.Type != "" {
		if _, err := parseChecksum(d.OpenChecksum.Type, d.OpenChecksum.Value); err != nil {
			return fmt.Errorf("open-checksum: %w", err)
		}
	}
	return nil
}

func (s *scanner) location() (href, base string) {
	h, _ := s.attr("href")
	b, _ := s.attr("xml:base")
	return string(h), string(b)
}

// checksum reads <checksum type="T">HEX</checksum>; one that cannot be understood
// is an error where strict, else it stays as it is.
func (s *scanner) checksum(strict bool) (Checksum, error) {
	kind, _ := s.attr("type")
	c := Checksum{Type: string(kind)}
	text, err := s.content()
	if err != nil {
		return c, err
	}
	c.Value = string(trimBoth(text))
	parsed, err := parseChecksum(c.Type, c.Value)
	if err != nil && !strict {
		return c, nil
	}
	return parsed, err
}

// count reads the text of an element that holds a number of bytes, -1 for any
// other text where it will not be relied on.
func (s *scanner) count(strict bool) (int64, error) {
	name := string(s.local)
	text, err := s.content()
	if err != nil {
		return 0, err
	}
	n, err := parseCount(name, trimBoth(text))
	if err != nil && !strict {
		return -1, nil
	}
	return n, err
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
