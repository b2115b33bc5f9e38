package bundle

import (
	"fmt"

	"kubecrate/pkg/progress"
	"kubecrate/pkg/repodata"
	"kubecrate/pkg/source/rpmrepo"
)

// warn reports warnings of the solver.
func (s *Sources) warn(texts ...string) {
	for _, text := range texts {
		s.report.Report(progress.Event{Kind: progress.Warn, Stage: "solve", Text: text})
	}
}

// warnUnusable reports once for each repository which packages are ignored.
func (s *Sources) warnUnusable(repos []*rpmrepo.Repository) {
	for _, r := range repos {
		if len(r.Unusable) > 0 {
			s.warn(fmt.Sprintf("repository %s: ignored %s, which is unusable: %v", r.ID, nameFew(r.Unusable), r.Unusable[0].Unusable))
		}
	}
}

// nameFew names the first of a list and counts the others.
func nameFew(list []*repodata.Package) string {
	name := list[0].NEVRA.String()
	if list[0].Name == "" {
		name = "a package without a name"
	}
	if n := len(list) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", name, n)
	}
	return name
}
