package smoke

import (
	"fmt"
	"io"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/lines"
)

// State of a check.
type State string

// The states of a check: Skipped is one whose ground another one had failed to
// lay.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Report is what a run found, in order.
type Report struct {
	Checks []Check `json:"checks"`
}

// Check is one thing that was asserted: how it went in a sentence, what more
// there is to know, a line each, and the command or sentence that fixes a failure
// or a warning.
type Check struct {
	Name    string   `json:"name"`
	State   State    `json:"state"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
	Hint    string   `json:"hint,omitempty"`
}

func good(format string, args ...any) Check {
	return Check{State: OK, Message: fmt.Sprintf(format, args...)}
}

func bad(fix, format string, args ...any) Check {
	return Check{State: Failed, Message: fmt.Sprintf(format, args...), Hint: fix}
}

func doubtful(fix, format string, args ...any) Check {
	return Check{State: Warning, Message: fmt.Sprintf(format, args...), Hint: fix}
}

func skip(format string, args ...any) Check {
	return Check{State: Skipped, Message: fmt.Sprintf(format, args...)}
}

// because is a failure that an error tells.
func because(err error) Check { return bad(hint.Of(err), "%v", err) }

// trouble is one of the things that made a check fail.
type trouble struct{ what, hint string }

// or is a check of many things: all is well without any trouble.
func or(all []trouble, well Check) Check {
	switch len(all) {
	case 0:
		return well
	case 1:
		f := bad(all[0].hint, "%s", all[0].what)
		f.Details = well.Details
		return f
	}
	f := bad(all[0].hint, "%s, and %d more", all[0].what, len(all)-1)
	for _, t := range all[1:] {
		line := t.what
		if t.hint != "" && t.hint != all[0].hint {
			line += "; hint: " + t.hint
		}
		f.Details = append(f.Details, line)
	}
	f.Details = append(f.Details, well.Details...)
	return f
}

// Failed counts the checks that failed.
func (r *Report) Failed() int {
	n := 0
	for _, c := range r.Checks {
		if c.State == Failed {
			n++
		}
	}
	return n
}

// Err is the first failure, with its fix as the hint; nil where all is well.
func (r *Report) Err() error {
	for _, c := range r.Checks {
		if c.State != Failed {
			continue
		}
		err := fmt.Errorf("the cluster does not work as it should: %s: %s", c.Name, c.Message)
		if n := r.Failed() - 1; n > 0 {
			err = fmt.Errorf("%w; %d more checks failed", err, n)
		}
		if c.Hint == "" {
			return err
		}
		return hint.With(err, "%s", c.Hint)
	}
	return nil
}

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) error {
	out := lines.New(w)
	for _, c := range r.Checks {
		out.Line("%s\t%s\t%s", c.State, c.Name, c.Message)
		for _, d := range c.Details {
			out.Line("\t\t%s", d)
		}
		if c.Hint != "" {
			out.Line("\t\thint: %s", c.Hint)
		}
	}
	return out.Flush()
}
