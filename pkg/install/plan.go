package install

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
)

// Plan is what a run would do on this host.
type Plan struct {
	Bundle    string            `json:"bundle"`
	Role      manifest.Role     `json:"role"`
	Needs     Needs             `json:"needs"`
	Preflight *preflight.Result `json:"preflight"`
	Steps     []step.Event      `json:"steps"`
}

// Needs is what a role takes of the archive. Raw and Compressed are bytes.
type Needs struct {
	Members    int      `json:"members"`
	Raw        int64    `json:"raw"`
	Compressed int64    `json:"compressed"` // of the frames that hold them
	Packages   []string `json:"packages"`   // NEVRAs
	Images     []string `json:"images"`     // canonical names
	Files      []string `json:"files"`      // paths in the archive
}

// Err is a *preflight.Error with everything that keeps the plan from being
// carried out, nil where nothing is known to.
func (p *Plan) Err() error { return p.Preflight.Err() }

// MakePlan looks at the archive and at this host, and changes nothing. Checks
// that fail are in the plan, see Err: only an archive or settings that cannot be
// used give an error.
func MakePlan(ctx context.Context, h *host.Host, q PlanRequest) (p *Plan, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	r, err := q.open(ctx, h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	p = &Plan{Bundle: r.bundle.name(), Role: r.target.Role, Needs: r.bundle.needs(r.target.Role)}
	p.Preflight, p.Steps, err = r.preflight(ctx, q.Skip)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// open is open with the terms of what would be done.
func (q *PlanRequest) open(ctx context.Context, h *host.Host) (*run, error) {
	return open(ctx, h, q.Media, q.Caller, q.Host, terms{wait: q.Wait, user: q.User})
}

// Preflight makes the checks of a host and nothing else. The error is a
// *preflight.Error where one failed; the result is there all the same.
func Preflight(ctx context.Context, h *host.Host, q PlanRequest) (checks *preflight.Result, err error) {
	defer func() { err = q.Caller.full(h, err) }()
	r, err := q.open(ctx, h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if checks, _, err = r.preflight(ctx, q.Skip); err != nil {
		return nil, err
	}
	err = checks.Err()
	return checks, err
}

// WriteText prints the plan for people.
func (p *Plan) WriteText(w io.Writer) error {
	out := lines.New(w)
	out.Line("%s, role %s: what ./install --role %s would do here; nothing was changed", p.Bundle, p.Role, p.Role)
	out.Line("")
	for i, e := range p.Steps {
		out.Line("%2d\t%s\t%s", i+1, e.Step, e.Status.State)
		writeStatus(out, e.Status, true)
	}
	out.Line("")
	for _, section := range []struct {
		title string
		names []string
	}{{"packages", p.Needs.Packages}, {"images", p.Needs.Images}, {"files", p.Needs.Files}} {
		out.Line("%s of this role in the archive (%d)", section.title, len(section.names))
		if section.title == "packages" {
			continue // the step of that name has listed what is missing
		}
		for _, name := range slices.Sorted(slices.Values(section.names)) {
			out.Line("  %s", name)
		}
	}
	out.Line("%d members of the archive are read, %s, %s unpacked", p.Needs.Members, progress.Size(p.Needs.Compressed), progress.Size(p.Needs.Raw))
	if err := out.Flush(); err != nil {
		return err
	}
	return p.Preflight.WriteText(w)
}

// writeStatus prints what a check found, indented; without diffs, it only names
// the files.
func writeStatus(out *lines.Printer, st step.Status, diffs bool) {
	for _, what := range st.What {
		out.Line("\t  %s", what)
	}
	for _, d := range st.Diffs {
		if !diffs {
			out.Line("\t  %s changes", d.Path)
			continue
		}
		for line := range strings.Lines(string(diff.Diff(d.Path, []byte(d.Before), d.Path, []byte(d.After)))) {
			if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "diff ") {
				out.Line("\t  %s", line)
			}
		}
	}
	for _, text := range st.Warnings {
		out.Line("\t  warning: %s", text)
	}
	if st.Hint != "" {
		out.Line("\t  hint: %s", st.Hint)
	}
}
