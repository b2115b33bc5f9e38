// Package table prints aligned text and keeps the first error.
package table

import (
	"fmt"
	"io"
	"text/tabwriter"

	"kubecrate/pkg/visible"
)

// Printer prints lines with tabs aligned into columns. Its zero value is not
// usable, see New.
type Printer struct {
	w   *tabwriter.Writer
	err error
}

// New prints to w; nothing appears before Flush.
func New(w io.Writer) *Printer {
	const padding = 2
	return &Printer{w: tabwriter.NewWriter(w, 0, 0, padding, ' ', 0)}
}

// Line prints one line; a tab in format starts the next column. What the
// arguments bring is shown, but cannot start a line or column.
func (p *Printer) Line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", visible.Args(args)...)
	}
}

// Print prints one line to w.
func Print(w io.Writer, format string, args ...any) error {
	p := New(w)
	p.Line(format, args...)
	return p.Flush()
}

// Flush writes what was printed and returns the first error of all.
func (p *Printer) Flush() error {
	if p.err == nil {
		p.err = p.w.Flush()
	}
	if p.err != nil {
		return fmt.Errorf("cannot print: %w", p.err)
	}
	return nil
}
