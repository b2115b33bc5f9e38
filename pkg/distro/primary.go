package distro

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"kubecrate/pkg/nevra"
	"kubecrate/pkg/repodata"
)

// relations are the relations of a package of the bundle, and its files in primary.xml:
// those in bin directories.
type relations struct {
	conflicts, obsoletes []nevra.Relation
	files                []string
}

// readPrimary reads the bundle's primary.xml, by label of package.
func readPrimary(ctx context.Context, archive fs.FS) (map[string]relations, error) {
	all := map[string]relations{}
	err := repodata.ReadBundled(ctx, archive, "rpms", func(p *repodata.Package) error {
		r := relations{conflicts: p.Conflicts, obsoletes: p.Obsoletes}
		for _, f := range p.Files {
			if f.Type == nevra.Plain && !strings.HasPrefix(f.Path, "/etc/") {
				r.files = append(r.files, f.Path)
			}
		}
		all[label(p.NEVRA)] = r
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the bundle's packages: %w", err)
	}
	return all, nil
}
