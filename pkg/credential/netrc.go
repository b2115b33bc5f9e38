package credential

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Login is what a host is shown. Its fields go into no error and no log.
type Login struct{ User, Password string }

// Netrc holds logins by host. The zero value, and nil, have none.
type Netrc struct {
	Path     string
	machines map[string]Login
}

// maxNetrc bounds the file, in bytes.
const maxNetrc = 1 << 20

// NetrcPath is where the logins are: what the variable NETRC names, or else
// .netrc in the home directory; "" where there is none.
func NetrcPath(getenv func(string) string) string {
	if path := getenv("NETRC"); path != "" {
		return path
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".netrc")
	}
	return ""
}

// ReadNetrc reads the file of curl(1) and ftp(1): "machine HOST login USER
// password PASSWORD", on one line or several. HOST may have a port. The entry
// "default" is not used: it would show a password to every host. No file is no
// error.
func ReadNetrc(path string) (*Netrc, error) {
	f, err := os.Open(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return &Netrc{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the logins: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxNetrc+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read the logins: %w", err)
	}
	if len(text) > maxNetrc {
		return nil, fmt.Errorf("cannot read the logins: %s is over %d MiB", path, maxNetrc>>20)
	}
	return &Netrc{Path: path, machines: parseNetrc(string(text))}, nil
}

func parseNetrc(text string) map[string]Login {
	machines := map[string]Login{}
	s := &netrcScanner{text: text}
	host, login := "", Login{}
	keep := func() {
		if _, known := machines[host]; host != "" && !known {
			machines[host] = login
		}
	}
	for {
		word, ok := s.next()
		switch {
		case !ok:
			keep()
			return machines
		case word == "machine", word == "default":
			keep()
			host, login = "", Login{}
			if word == "machine" {
				host, _ = s.next()
				host = strings.ToLower(host)
			}
		case word == "login":
			login.User, _ = s.next()
		case word == "password":
			login.Password, _ = s.next()
		case word == "account":
			s.next()
		case word == "macdef":
			s.skipMacro()
		}
	}
}

// netrcScanner gives the words of a netrc file. A word in quotes may hold
// blanks, and a backslash in it takes the next character as it is, as in curl; a
// line that begins with # is a comment.
type netrcScanner struct{ text string }

func (s *netrcScanner) next() (word string, ok bool) {
	s.text = strings.TrimLeft(s.text, " \t\r\n")
	for strings.HasPrefix(s.text, "#") {
		_, s.text, _ = strings.Cut(s.text, "\n")
		s.text = strings.TrimLeft(s.text, " \t\r\n")
	}
	if s.text == "" {
		return "", false
	}
	if s.text[0] != '"' {
		end := strings.IndexAny(s.text, " \t\r\n")
		if end < 0 {
			end = len(s.text)
		}
		word, s.text = s.text[:end], s.text[end:]
		return word, true
	}
	var b strings.Builder
	for i := 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\' && i+1 < len(s.text):
			i++
			b.WriteByte(s.text[i])
		case c == '"':
			s.text = s.text[i+1:]
			return b.String(), true
		default:
			b.WriteByte(c)
		}
	}
	s.text = ""
	return b.String(), true
}

// skipMacro passes over a macro of ftp's, which an empty line ends.
func (s *netrcScanner) skipMacro() {
	_, s.text, _ = strings.Cut(strings.ReplaceAll(s.text, "\r\n", "\n"), "\n\n")
}

// Lookup finds the login of host[:port]; an entry with the port goes before
// one without.
func (n *Netrc) Lookup(host string) (Login, bool) {
	if n == nil {
		return Login{}, false
	}
	host = strings.ToLower(host)
	if l, ok := n.machines[host]; ok {
		return l, true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	l, ok := n.machines[strings.Trim(host, "[]")]
	return l, ok
}
