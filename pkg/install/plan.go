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
	"kubecrate/pkg/preflight"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/table"
)

// Plan is the planned changes on this host.
type Plan struct {
	Bundle    string            `json:"bundle"`
	Role      manifest.Role     `json:"role"`
	Needs     Needs             `json:"needs"`
	Preflight *preflight.Result `json:"preflight"`
	Steps     []step.Event      `json:"steps"`
}

// Needs is what a role needs of the archive. Raw and Compressed are bytes.
type Needs struct {
	Members    int      `json:"members"`
	Raw        int64    `json:"raw"`
	Compressed int64    `json:"compressed"` // of the frames that hold them
	Packages   []string `json:"packages"`   // NEVRAs
	Images     []string `json:"images"`     // canonical names
	Files      []string `json:"files"`      // paths in the archive
}

// Err returns a *preflight.Error with everything that prevents the installation, nil if
// nothing is known to.
func (p *Plan) Err() error { return p.Preflight.Err() }

// MakePlan inspects the archive and this host, and changes nothing. Failed checks are in
// the plan, see Err: it returns an error only for an unusable archive or invalid
// settings.
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

// open opens a run with the settings of the request.
func (q *PlanRequest) open(ctx context.Context, h *host.Host) (*run, error) {
	return open(ctx, h, q.Media, q.Caller, q.Host, terms{wait: q.Wait, user: q.User})
}

// Preflight only runs the checks of a host. If one fails, it returns the result and a
// *preflight.Error.
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

// WriteText prints the plan as text.
func (p *Plan) WriteText(w io.Writer) error {
	out := table.New(w)
	out.Line("%s, role %s: ./install --role %s would do this; nothing was changed", p.Bundle, p.Role, p.Role)
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
			continue // the step lists the missing ones
		}
		for _, name := range slices.Sorted(slices.Values(section.names)) {
			out.Line("  %s", name)
		}
	}
	out.Line("reads %d members of the archive, %s, %s decompressed", p.Needs.Members, progress.Size(p.Needs.Compressed), progress.Size(p.Needs.Raw))
	if err := out.Flush(); err != nil {
		return err
	}
	return p.Preflight.WriteText(w)
}

// writeStatus prints the result of a check, indented; without diffs it only names the
// files.
func writeStatus(out *table.Printer, st step.Status, diffs bool) {
	for _, what := range st.What {
		out.Line("\t  %s", what)
	}
	for _, d := range st.Diffs {
		if !diffs {
			out.Line("\t  change %s", d.Path)
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
