// Package hint carries, beside an error, the command that fixes it.
package hint

import (
	"errors"
	"fmt"
	"strings"
)

// Error is an error with the command, or the sentence, that fixes it.
type Error struct {
	Err  error
	Hint string
}

// Error is the message of the wrapped error; the hint is printed apart.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// With adds a hint to err; a nil err stays nil. The hint nearest to the cause
// is the one shown, see Of.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// Root is what to type where only root may do it. command is how the program was
// called, "" for a command that is not to be repeated.
func Root(command string) string {
	if command == "" {
		return "run the same command with sudo, or as root after su -"
	}
	return "sudo " + command
}

// Of returns the hint nearest to the cause of err, "" when there is none.
func Of(err error) string {
	text := ""
	for {
		var e *Error
		if !errors.As(err, &e) {
			return text
		}
		text, err = e.Hint, e.Err
	}
}

// Command is argv as it can be typed: what a shell would take apart is quoted.
func Command(argv ...string) string {
	words := make([]string, len(argv))
	for i, w := range argv {
		words[i] = w
		if w == "" || strings.ContainsFunc(w, special) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// special says whether a shell may read r as more than itself.
func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("_@%+=:,./-^", r)
}
