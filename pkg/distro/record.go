package distro

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/hint"
	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/step"
)

const (
	recordFile = step.Dir + "/packages.json"
	logFile    = step.Dir + "/yum.log"
	testFile   = step.Dir + "/yum-test.log"
)

// record lists the packages that the bundle installed and what they replaced. It is
// written before each transaction. It is not part of the journal: it stays until every
// package of it is removed, even if a reset has to be repeated.
type record struct {
	Packages map[string]installedPackage `json:"packages"` // by name.arch
	// Running are the packages of the command that writes logFile; Unfinished
	// are packages whose command was interrupted and that must be reinstalled.
	Running    []string `json:"running,omitempty"`
	Unfinished []string `json:"unfinished,omitempty"`
}

// installedPackage is a package that the bundle installed, and the build that it
// replaced, the zero NEVRA for none.
type installedPackage struct {
	NEVRA nevra.NEVRA `json:"nevra"`
	Was   nevra.NEVRA `json:"was,omitzero"`
}

func readRecord(h *host.Host) (*record, error) {
	r := &record{Packages: map[string]installedPackage{}}
	if found, err := h.State().ReadJSON(recordFile, r); found && err != nil {
		return nil, hint.With(err, "mv %s %s.damaged; the packages of the bundle then stay installed", recordFile, recordFile)
	} else if err != nil {
		return r, err
	}
	return r, nil
}

func (r *record) save(h *host.Host) error { return h.State().WriteJSON(recordFile, r) }

// add adds packages to be installed. The replaced build of an existing entry stays.
func (r *record) add(list []change) {
	for _, c := range list {
		key := c.want.Name + "." + c.want.Arch
		old, known := r.Packages[key]
		if !known && c.from != nil {
			old.Was = *c.from
		}
		old.NEVRA = c.want
		r.Packages[key] = old
	}
}

// left lists the packages of interrupted commands. The last command was not
// interrupted if its log ends as yum and dnf end it: it continued when the installer
// was killed.
func (r *record) left(h *host.Host) ([]string, error) {
	list := slices.Clone(r.Unfinished)
	if len(r.Running) > 0 {
		log, err := h.Text(logFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", logFile, err)
		}
		if !complete(log) {
			list = append(list, r.Running...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// complete reports whether a log ends like that of a complete transaction.
func complete(log string) bool { return strings.HasSuffix(strings.TrimSpace(log), "Complete!") }

// again lists the installed packages of interrupted commands. They must be reinstalled,
// because their scripts may not have run.
func (r *record) again(h *host.Host, have installed) ([]string, error) {
	left, err := r.left(h)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, s := range left {
		if n, err := nevra.Parse(s); err == nil && have.has(n) {
			list = append(list, s)
		}
	}
	return list, nil
}

// duplicates lists older builds installed beside the build that replaced them, as after
// an interrupted upgrade. mine are those that a transaction of this program should have
// removed.
func (r *record) duplicates(have installed, lock []manifest.LockedPackage) (mine, others []nevra.NEVRA) {
	names := map[string]bool{}
	for _, p := range lock {
		if !strings.HasPrefix(p.NEVRA.Name, "kernel") { // several kernels may be installed
			names[p.NEVRA.Name] = true
		}
	}
	for _, name := range sorted(names) {
		list := have[name]
		for i, o := range list {
			newer := slices.ContainsFunc(list[:i], func(x nevra.NEVRA) bool { return x.Arch == o.Arch })
			switch {
			case !newer:
			case r.Packages[o.Name+"."+o.Arch].Was.String() == o.String():
				mine = append(mine, o)
			default:
				others = append(others, o)
			}
		}
	}
	return mine, others
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
