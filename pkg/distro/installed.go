package distro

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
)

// databaseDir is where rpm keeps what is installed.
const databaseDir = "/var/lib/rpm"

// installed is what rpm's database holds, by name, the newest first.
type installed map[string][]nevra.NEVRA

// nevraFormat prints a package as nevra.Parse reads it, on rpm 4.11 too.
const nevraFormat = `%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n`

// rpmWait bounds a query: a lock of Berkeley DB that nobody holds any more
// makes EL7's rpm wait for ever.
const rpmWait = 2 * time.Minute

// readInstalled asks rpm.
func (d Distro) readInstalled(ctx context.Context, h *host.Host) (installed, error) {
	short, cancel := context.WithTimeoutCause(ctx, rpmWait, errStuck)
	defer cancel()
	out, err := h.Query(short, "rpm", "-qa", "--qf", nevraFormat)
	switch {
	case errors.Is(err, errStuck):
		return nil, hint.With(fmt.Errorf("cannot ask rpm what is installed: %w", err), "%s", hintDatabase)
	case err != nil:
		return nil, fmt.Errorf("cannot ask rpm what is installed: %w", d.explain(err, err.Error()))
	}
	return parseInstalled(string(out)), nil
}

var errStuck = errors.New("it does not answer; its database is locked or damaged")

// parseInstalled reads lines of nevraFormat. Keys, which rpm keeps as packages
// of no architecture, are left out.
func parseInstalled(text string) installed {
	have := installed{}
	for line := range strings.Lines(text) {
		n, err := nevra.Parse(strings.TrimSpace(line))
		if err != nil || strings.ContainsAny(line, "() ") {
			continue
		}
		if n.Epoch == "0" {
			n.Epoch = ""
		}
		have[n.Name] = append(have[n.Name], n)
	}
	for _, list := range have {
		slices.SortFunc(list, func(a, b nevra.NEVRA) int { return b.Compare(a.EVR) })
	}
	return have
}

// of lists the installed builds of n's name that an installation of n would
// take the place of: those of its architecture, and of none.
func (have installed) of(n nevra.NEVRA) []nevra.NEVRA {
	var list []nevra.NEVRA
	for _, o := range have[n.Name] {
		if o.Arch == n.Arch || o.Arch == noarch || n.Arch == noarch {
			list = append(list, o)
		}
	}
	return list
}

const noarch = "noarch"

// has says that exactly n is installed.
func (have installed) has(n nevra.NEVRA) bool {
	return slices.ContainsFunc(have[n.Name], func(o nevra.NEVRA) bool { return same(o, n) })
}

// same compares builds; an epoch of 0 may be written or not.
func same(a, b nevra.NEVRA) bool {
	return a.Name == b.Name && a.Arch == b.Arch && a.Compare(b.EVR) == 0
}

// label is how rpm itself names a build: without its epoch.
func label(n nevra.NEVRA) string { return strings.TrimSuffix(n.FileName(), ".rpm") }

func labels(list []nevra.NEVRA) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = label(n)
	}
	return names
}
