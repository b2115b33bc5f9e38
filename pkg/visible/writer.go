package visible

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"
)

// Writer is the last thing that output passes: it writes what Text leaves of
// it. It is safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	held []byte // the beginning of a character whose end is not here yet
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write cleans p. A character may be spread over calls.
func (v *Writer) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := slices.Concat(v.held, p)
	whole := len(text) - partial(text)
	v.held = append([]byte(nil), text[whole:]...)
	if err := v.write(text[:whole]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is left of a character that never ended.
func (v *Writer) Flush() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	held := v.held
	v.held = nil
	return v.write(held)
}

func (v *Writer) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := io.WriteString(v.w, Text(string(p))); err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	return nil
}

// partial is how many bytes at the end of p begin a character that is not whole.
func partial(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if last := p[len(p)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
