package facts

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
)

func (f *Facts) readPackages(ctx context.Context, h *host.Host) error {
	out, err := output(ctx, h, "rpm", "-qa", "--qf", `%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n`)
	f.Packages = parsePackages(out)
	return err
}

// parsePackages sorts what rpm -qa prints. The keys that rpm keeps as packages
// of no architecture are left out.
func parsePackages(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		n, err := nevra.Parse(strings.TrimSpace(line))
		if err == nil && n.Name != "gpg-pubkey" && !strings.ContainsAny(line, "()/ ") {
			list = append(list, n.String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Baseline writes the packages as a manifest's packages.baseline names them: a
// file of NEVRAs, against which bundle lock then solves.
func (f *Facts) Baseline(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, %s: what was installed on %s\n", f.Hostname, f.OS.Pretty, f.Time.Format(time.RFC3339))
	b.WriteString("# a manifest takes it as packages.baseline: FILE\n")
	for _, p := range f.Packages {
		b.WriteString(p + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("cannot write the baseline: %w", err)
	}
	return nil
}
