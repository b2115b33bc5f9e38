package clusterhttp

import (
	"errors"
	"io"
	"net"
	"strings"
)

const (
	prefix  = "HTTP/1."
	maxLine = 60 // bytes of a foreign answer that an error quotes
)

// answer is a connection whose first bytes are checked: anything but HTTP/1 is a
// *NotHTTPError. net/http has no error type for it.
type answer struct {
	net.Conn
	begin   []byte // read, but not returned yet
	checked bool
}

// Read is a net.Conn's.
func (a *answer) Read(p []byte) (int, error) {
	if !a.checked {
		if err := a.check(); err != nil {
			return 0, err
		}
		a.checked = true
	}
	if len(a.begin) > 0 {
		n := copy(p, a.begin)
		a.begin = a.begin[n:]
		return n, nil
	}
	return a.Conn.Read(p)
}

// check reads until it knows whether the answer begins as HTTP/1.
func (a *answer) check() error {
	buffer := make([]byte, maxLine)
	n := 0
	for n < len(prefix) && strings.HasPrefix(prefix, string(buffer[:n])) {
		more, err := a.Conn.Read(buffer[n:])
		n += more
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if !strings.HasPrefix(string(buffer[:n]), prefix) {
		line, _, _ := strings.Cut(string(buffer[:n]), "\n")
		return &NotHTTPError{line}
	}
	a.begin = buffer[:n]
	return nil
}
