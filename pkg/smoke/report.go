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
// there is to know, a line each, and the command or sentence that mends a failure
// or a warning.
type Check struct {
	Name    string   `json:"name"`
	State   State    `json:"state"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
	Mend    string   `json:"mend,omitempty"`
}

func good(format string, args ...any) Check {
	return Check{State: OK, Message: fmt.Sprintf(format, args...)}
}

func bad(mend, format string, args ...any) Check {
	return Check{State: Failed, Message: fmt.Sprintf(format, args...), Mend: mend}
}

func doubtful(mend, format string, args ...any) Check {
	return Check{State: Warning, Message: fmt.Sprintf(format, args...), Mend: mend}
}

func skip(format string, args ...any) Check {
	return Check{State: Skipped, Message: fmt.Sprintf(format, args...)}
}

// because is a failure that an error tells.
func because(err error) Check { return bad(hint.Of(err), "%v", err) }

// trouble is one of the things that made a check fail.
type trouble struct{ what, mend string }

// or is a check of many things: all is well without any trouble.
func or(all []trouble, well Check) Check {
	switch len(all) {
	case 0:
		return well
	case 1:
		f := bad(all[0].mend, "%s", all[0].what)
		f.Details = well.Details
		return f
	}
	f := bad(all[0].mend, "%s, and %d more", all[0].what, len(all)-1)
	for _, t := range all[1:] {
		line := t.what
		if t.mend != "" && t.mend != all[0].mend {
			line += "; mend: " + t.mend
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

// Err is the first failure, with its mend as the hint; nil where all is well.
func (r *Report) Err() error {
	for _, c := range r.Checks {
		if c.State != Failed {
			continue
		}
		err := fmt.Errorf("the cluster does not work as it should: %s: %s", c.Name, c.Message)
		if n := r.Failed() - 1; n > 0 {
			err = fmt.Errorf("%w; %d more checks failed", err, n)
		}
		if c.Mend == "" {
			return err
		}
		return hint.With(err, "%s", c.Mend)
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
		if c.Mend != "" {
			out.Line("\t\tmend: %s", c.Mend)
		}
	}
	return out.Flush()
}
