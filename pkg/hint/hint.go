// Package hint carries, beside an error, the command that fixes it.
package hint

import (
	"errors"
	"fmt"
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
