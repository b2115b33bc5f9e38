// Package html writes what an archive holds as one page for a browser.
package html

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"

	"kubecrate/manifest"
	"kubecrate/pkg/atomicfile"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
	"kubecrate/pkg/visible"
)

//go:embed report.html
var page string

// Write writes c as one HTML page that needs nothing from outside.
func Write(w io.Writer, c *report.Contents) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"size":  progress.Size,
		"short": report.Short,
		"roles": report.Roles,
		"why":   report.FirstReason,
		"share": func(part int64) int64 {
			if c.Raw == 0 {
				return 0
			}
			const percent = 100
			return part * percent / c.Raw
		},
		"chain": func(p manifest.LockedPackage) (*report.Why, error) { return report.Explain(c.Lock, p.NEVRA.String()) },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("cannot read the report's template: %w", err)
	}
	out := visible.NewWriter(w)
	if err := errors.Join(t.Execute(out, c), out.Flush()); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// WriteFile writes the page of c to a file, in place of one that is there. What is
// no regular file is left alone.
func WriteFile(file string, c *report.Contents) error {
	const mode = 0o644
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("cannot write the report: %s is not a regular file", file)
	}
	f, err := atomicfile.Create(file, mode)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	if err := Write(f, c); err != nil {
		return errors.Join(fmt.Errorf("cannot write the report: %w", err), f.Abort())
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}
