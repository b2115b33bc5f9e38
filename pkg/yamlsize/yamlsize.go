// Package yamlsize bounds how many values a YAML text has before a library reads
// it. A node takes some hundred times the memory of the two bytes that make one,
// so limiting bytes alone does not limit memory.
package yamlsize

import "bytes"

// PerCount is how many values, at most, there are for each that Line counts: in
// [a: b] the comma or bracket makes a mapping, its key and its value.
const PerCount = 3

// Line is the line, from 1, on which text has more than most of what begins a
// value, and 0 where it has no more: ends of lines, commas, opening brackets, and
// the -, : and ? that a blank or an end follows. It counts them within quotes,
// comments and blocks of text too, so a valid document has less than PerCount
// values for each, and usually fewer than one.
//
// Source: YAML 1.2.2, section 5.3 and 5.4, and YAML 1.1, section 5.5, for the
// three breaks beyond ASCII that go.yaml.in/yaml takes.
func Line(text []byte, most int) int {
	if wide := bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")); wide {
		if len(text)/2 > most { // UTF-16: a value has one character at least
			return 1
		}
		return 0
	}
	line := 1
	for i, b := range text {
		isBreak := endsLine(text[i:])
		if isBreak || b == ',' || b == '[' || b == '{' || (b == '-' || b == ':' || b == '?') && blank(text[i+1:]) {
			if most--; most < 0 {
				return line
			}
		}
		if isBreak {
			line++
		}
	}
	return 0
}

// endsLine says whether text begins with the last byte of a break.
func endsLine(text []byte) bool {
	switch text[0] {
	case '\n':
		return true
	case '\r':
		return len(text) == 1 || text[1] != '\n'
	case 0xc2:
		return bytes.HasPrefix(text, []byte("\u0085"))
	case 0xe2:
		return bytes.HasPrefix(text, []byte("\u2028")) || bytes.HasPrefix(text, []byte("\u2029"))
	}
	return false
}

// blank says whether text begins with what separates a value from what begins it;
// any character beyond ASCII is taken for such.
func blank(text []byte) bool {
	return len(text) == 0 || text[0] <= ' ' || text[0] >= 0x80
}
