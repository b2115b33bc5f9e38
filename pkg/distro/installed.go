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

// databaseDir is the directory of rpm's database.
const databaseDir = "/var/lib/rpm"

// installed is the installed packages by name, the newest first.
type installed map[string][]nevra.NEVRA

// nevraFormat prints a package in the form that nevra.Parse accepts, also with rpm
// 4.11.
const nevraFormat = `%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n`

// rpmWait limits a query: a stale lock of Berkeley DB makes EL7's rpm hang.
const rpmWait = 2 * time.Minute

// readInstalled queries rpm.
func (d Distro) readInstalled(ctx context.Context, h *host.Host) (installed, error) {
	short, cancel := context.WithTimeoutCause(ctx, rpmWait, errStuck)
	defer cancel()
	out, err := h.Query(short, "rpm", "-qa", "--qf", nevraFormat)
	switch {
	case errors.Is(err, errStuck):
		return nil, hint.With(fmt.Errorf("cannot list installed packages: %w", err), "%s", hintDatabase)
	case err != nil:
		return nil, fmt.Errorf("cannot list installed packages: %w", d.explain(err, err.Error()))
	}
	return parseInstalled(string(out)), nil
}

var errStuck = errors.New("rpm does not respond; its database is locked or damaged")

// parseInstalled parses lines of nevraFormat. It omits keys, which rpm stores as
// packages without architecture.
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

// of lists the installed builds that an installation of n would replace: those of its
// name and its architecture or noarch.
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

// has reports whether exactly n is installed.
func (have installed) has(n nevra.NEVRA) bool {
	return slices.ContainsFunc(have[n.Name], func(o nevra.NEVRA) bool { return same(o, n) })
}

// same compares builds; an epoch of 0 may be omitted.
func same(a, b nevra.NEVRA) bool {
	return a.Name == b.Name && a.Arch == b.Arch && a.Compare(b.EVR) == 0
}

// label is rpm's own name of a build: without its epoch.
func label(n nevra.NEVRA) string { return strings.TrimSuffix(n.FileName(), ".rpm") }

func labels(list []nevra.NEVRA) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = label(n)
	}
	return names
}
