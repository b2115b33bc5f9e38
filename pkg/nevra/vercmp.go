package nevra

// Vercmp compares two version or release strings as rpm's rpmvercmp does and
// returns -1, 0 or 1. Segments of digits compare as numbers, segments of
// letters as bytes, a digit segment is newer than a letter segment, "~" sorts
// before everything (even the end of the string) and "^" after the end of the
// string but before any further segment.
//
// Source: rpm, rpmio/rpmvercmp.c (4.15 and later for "^").
func Vercmp(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" || b != "" {
		a, b = skipSeparators(a), skipSeparators(b)
		if decided, result, ra, rb := comparePrefix(a, b); decided {
			return result
		} else if len(ra) != len(a) {
			a, b = ra, rb
			continue
		}
		if a == "" || b == "" {
			break
		}
		var segA, segB string
		numeric := isDigit(a[0])
		if numeric {
			segA, a = cut(a, isDigit)
			segB, b = cut(b, isDigit)
		} else {
			segA, a = cut(a, isAlpha)
			segB, b = cut(b, isAlpha)
		}
		if segB == "" {
			if numeric {
				return 1
			}
			return -1
		}
		if c := compareSegment(segA, segB, numeric); c != 0 {
			return c
		}
	}
	switch {
	case a == "" && b == "":
		return 0
	case a == "":
		return -1
	}
	return 1
}

// comparePrefix handles a leading "~" or "^" on either side. decided says that
// result is final; otherwise ra and rb are what is left after a common mark.
func comparePrefix(a, b string) (decided bool, result int, ra, rb string) {
	tildeA, tildeB := hasMark(a, '~'), hasMark(b, '~')
	if tildeA || tildeB {
		if tildeA && tildeB {
			return false, 0, a[1:], b[1:]
		}
		if tildeA {
			return true, -1, a, b
		}
		return true, 1, a, b
	}
	caretA, caretB := hasMark(a, '^'), hasMark(b, '^')
	switch {
	case caretA && caretB:
		return false, 0, a[1:], b[1:]
	case caretA && b == "":
		return true, 1, a, b
	case caretB && a == "":
		return true, -1, a, b
	case caretA:
		return true, -1, a, b
	case caretB:
		return true, 1, a, b
	}
	return false, 0, a, b
}

func compareSegment(a, b string, numeric bool) int {
	if numeric {
		a, b = trimZeros(a), trimZeros(b)
		if len(a) != len(b) {
			if len(a) > len(b) {
				return 1
			}
			return -1
		}
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func hasMark(s string, mark byte) bool { return s != "" && s[0] == mark }

func skipSeparators(s string) string {
	for s != "" && !isDigit(s[0]) && !isAlpha(s[0]) && s[0] != '~' && s[0] != '^' {
		s = s[1:]
	}
	return s
}

func cut(s string, in func(byte) bool) (head, tail string) {
	i := 0
	for i < len(s) && in(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func trimZeros(s string) string {
	for s != "" && s[0] == '0' {
		s = s[1:]
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
