package visible

import "strings"

// Liner is an error that lays out its own lines: what stands in one of them
// begins no further line.
type Liner interface {
	error
	Lines() []string
}

// Error is an error in lines that are fit to print. A line begins where errors
// were joined (errors.Join) and where a Liner begins one; any other newline in
// an error's text came from outside, and is shown as \n.
func Error(err error) []string {
	if err == nil {
		return nil
	}
	text := err.Error()
	var inner []error
	switch e := err.(type) { //nolint:errorlint // one level at a time is looked at
	case Liner:
		var list []string
		for _, l := range e.Lines() {
			list = append(list, Line(l))
		}
		return list
	case interface{ Unwrap() []error }:
		if inner = e.Unwrap(); joined(text, inner) {
			return errorLines(inner)
		}
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			inner = []error{cause}
		}
	}
	return around(text, inner)
}

// joined says that text is what errors.Join makes of a list.
func joined(text string, list []error) bool {
	for i, err := range list {
		rest, ok := strings.CutPrefix(text, err.Error())
		if ok && i < len(list)-1 {
			rest, ok = strings.CutPrefix(rest, "\n")
		}
		if !ok {
			return false
		}
		text = rest
	}
	return text == ""
}

func errorLines(list []error) []string {
	var lines []string
	for _, err := range list {
		lines = append(lines, Error(err)...)
	}
	return lines
}

// around is the text of an error that wraps others: theirs are taken in lines,
// what stands around them in one.
func around(text string, inner []error) []string {
	lines := []string{""}
	add := func(s string) { lines[len(lines)-1] += s }
	for _, err := range inner {
		before, after, ok := strings.Cut(text, err.Error())
		if !ok {
			continue
		}
		add(Line(before))
		if list := Error(err); len(list) > 0 {
			add(list[0])
			lines = append(lines, list[1:]...)
		}
		text = after
	}
	add(Line(text))
	return lines
}

// Quoted is an error of a program with what the program wrote, a line each,
// which are marked as such when they are printed.
type Quoted struct {
	Err  error
	Said string
}

// Error is the error, and below it what was said.
func (q *Quoted) Error() string { return q.Err.Error() + ":\n" + q.Said }

// Unwrap gives the error.
func (q *Quoted) Unwrap() error { return q.Err }

// Lines is the error, and below it what was said, indented behind a bar.
func (q *Quoted) Lines() []string {
	lines := Error(q.Err)
	if q.Said == "" {
		return lines
	}
	lines[len(lines)-1] += ":"
	for _, l := range strings.Split(strings.TrimRight(q.Said, "\r\n"), "\n") {
		lines = append(lines, "  | "+strings.ReplaceAll(strings.TrimRight(l, "\r"), "\t", "    "))
	}
	return lines
}
