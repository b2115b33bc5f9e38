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

// record is what was there before the packages came, written before each
// transaction. It is no file of the journal: it stays until every package of it
// is gone, however often a reset has to be tried.
type record struct {
	Packages map[string]installedPackage `json:"packages"` // by name.arch
	// Running are the packages of the command that logFile is of; Unfinished
	// those whose own command was cut off, and that are to be installed again.
	Running    []string `json:"running,omitempty"`
	Unfinished []string `json:"unfinished,omitempty"`
}

// installedPackage is a package that came with the bundle, and the build that was there
// before, the zero NEVRA for none.
type installedPackage struct {
	NEVRA nevra.NEVRA `json:"nevra"`
	Was   nevra.NEVRA `json:"was,omitzero"`
}

func readRecord(h *host.Host) (*record, error) {
	r := &record{Packages: map[string]installedPackage{}}
	if found, err := h.State().ReadJSON(recordFile, r); found && err != nil {
		return nil, hint.With(err, "mv %s %s.damaged; the packages that came with the bundle then stay", recordFile, recordFile)
	} else if err != nil {
		return r, err
	}
	return r, nil
}

func (r *record) save(h *host.Host) error { return h.State().WriteJSON(recordFile, r) }

// add notes what is about to come. What was there before the first time stays.
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

// left lists the packages of commands that were cut off. The last command was
// not where its log ends as yum and dnf end it: it went on when the installer
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

// complete says that a log ends as that of a whole transaction does.
func complete(log string) bool { return strings.HasSuffix(strings.TrimSpace(log), "Complete!") }

// again lists what is to be installed again: of the commands that were cut off
// what is there, so that scripts which did not run do.
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

// duplicates lists older builds that lie beside the build which replaced them: an
// upgrade that was cut off leaves both. mine are those that a transaction of
// ours was to remove.
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
