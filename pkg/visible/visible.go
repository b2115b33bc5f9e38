// Package visible makes text from outside harmless to print: whatever would move
// the cursor, reorder the text, hide in it or start a line is shown as
// an escape such as \x1b, \u202e or \n. What people read, in any script, stays.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s fit to stand in a line: no newline or tab of it is left either.
func Line(s string) string { return clean(s, false) }

// Text is s with the newlines and tabs it has. It is for text whose lines are
// the program's own; a value from outside goes through Line first.
func Text(s string) string { return clean(s, true) }

func clean(s string, layout bool) string {
	if harmless(s, layout) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/2)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case shown(r) || layout && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
		i += size
	}
	return b.String()
}

// harmless says that clean has nothing to do.
func harmless(s string, layout bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !shown(r) && (!layout || r != '\n' && r != '\t') {
			return false
		}
	}
	return true
}

// shown says that a terminal draws r, and does nothing else. Controls (Cc),
// formats (Cf: bidirectional marks, zero widths, the byte order mark, tags),
// line and paragraph separators, private and unassigned characters are not.
func shown(r rune) bool {
	const space, del = 0x20, 0x7f
	if r < utf8.RuneSelf {
		return r >= space && r < del
	}
	return unicode.IsGraphic(r) && !unicode.Is(blank, r)
}

// blank is what is graphic by its category, and yet nothing is seen of it.
//
//nolint:gochecknoglobals // a table that nothing changes
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian selectors
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // half-width Hangul filler
	},
	R32: []unicode.Range32{{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}}, // variation selectors
}

// escape spells r. All but the first 32 characters are spelled as JSON does, so
// that JSON stays JSON.
func escape(r rune) string {
	const space, bmp = 0x20, 0xffff
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	switch {
	case r < space:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= bmp:
		return fmt.Sprintf(`\u%04x`, r)
	}
	// The surrogates of UTF-16, as in RFC 8259, section 7.
	const first, high, low, bits, mask = 0x10000, 0xd800, 0xdc00, 10, 0x3ff
	r -= first
	return fmt.Sprintf(`\u%04x\u%04x`, high+r>>bits, low+r&mask)
}
