package facts

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"kubecrate/pkg/distro"
	"kubecrate/pkg/host"
)

func (f *Facts) readPackages(ctx context.Context, h *host.Host) (err error) {
	f.Packages, err = distro.Inventory(ctx, h)
	return err
}

// Baseline writes the packages as a manifest's packages.baseline names them: a
// file of NEVRAs, against which bundle lock then solves.
func (f *Facts) Baseline(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, %s: packages installed on %s\n", f.Hostname, f.OS.Pretty, f.Time.Format(time.RFC3339))
	b.WriteString("# use in a manifest as packages.baseline: FILE\n")
	for _, p := range f.Packages {
		b.WriteString(p + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the baseline: %w", err)
	}
	return nil
}
