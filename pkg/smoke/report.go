package smoke

import (
	"fmt"
	"io"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/table"
)

// State of a check.
type State string

// The states of a check: Skipped means that a check it depends on failed.
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

// Check is the result of one check: a sentence, further details, a line each, and the
// command or sentence that fixes a failure or a warning.
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

// because returns a failure with the message and hint of err.
func because(err error) Check { return bad(hint.Of(err), "%v", err) }

// trouble is one reason why a check failed.
type trouble struct{ what, hint string }

// or returns well if there are no troubles, else a failure that lists them.
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

// Err returns the first failure with its hint, nil if nothing failed.
func (r *Report) Err() error {
	for _, c := range r.Checks {
		if c.State != Failed {
			continue
		}
		err := fmt.Errorf("the smoke test failed: %s: %s", c.Name, c.Message)
		if n := r.Failed() - 1; n > 0 {
			err = fmt.Errorf("%w (and %d more)", err, n)
		}
		if c.Hint == "" {
			return err
		}
		return hint.With(err, "%s", c.Hint)
	}
	return nil
}

// WriteText prints the report as text.
func (r *Report) WriteText(w io.Writer) error {
	out := table.New(w)
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
