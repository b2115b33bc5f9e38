package install

import (
	"errors"
	"slices"

	"kubecrate/manifest"
	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
	"kubecrate/pkg/stepreport"
	"kubecrate/pkg/vip"
)

// Tables are the choices of an installation: networks, runtimes, OS families and
// preparations. A nil table means that of this version. Every verb knows exactly what
// is in the tables.
type Tables struct {
	Networks     cni.Networks
	Runtimes     cri.Runtimes
	Families     software.Sources
	Preparations prep.Preparations
}

// families returns the ways to install programs.
func (t Tables) families() software.Sources {
	if t.Families == nil {
		return distro.All(t.Runtimes)
	}
	return t.Families
}

// packageSteps returns the names of the steps that installed programs on the host of
// saved.
func (t Tables) packageSteps(saved *target.State) ([]string, error) {
	source, err := t.families().For(saved.Family)
	if err != nil {
		return nil, err
	}
	return stepreport.Names(source.Steps(software.Bundle{}, nil)), nil
}

// words returns the names in the tables, which a manifest may use.
func (t Tables) words() manifest.Words {
	w := manifest.Words{Runtimes: t.Runtimes.Names(), Networks: t.Networks.Installable().Names()}
	for _, s := range t.families() {
		w.Families = append(w.Families, s.About().Name)
	}
	return w
}

// kinds is the table of all steps of an installation and of later verbs. It is the only
// list: steps creates them, and Reset finds in the journal which of them were begun.
func (t Tables) kinds(report progress.Func) step.Kinds {
	return slices.Concat(t.Preparations.Kinds(), t.families().Kinds(report), t.Runtimes.Kinds(report), vip.Kinds(),
		kubeadm.Kinds(report, t.Networks, t.Runtimes), cni.Kinds())
}

// openJournal opens the journal of h for writing. saved is the state of an earlier run,
// nil without one.
func openJournal(h *host.Host, saved *target.State) (*step.Journal, error) {
	j, err := step.OpenJournal(h)
	if err != nil {
		return nil, err
	}
	if err := j.Imply(impliedBegins(h, saved)); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// impliedBegins returns the begin records missing in journals of versions without such
// records: one for each step of that version, in order, with the parameters from
// install.json. No step is ever added to this list.
func impliedBegins(h *host.Host, saved *target.State) (list []step.Begin) {
	if saved == nil {
		if cri.Undoable(h) != nil { // images were loaded, and nothing else
			list = append(list, step.Begin{Step: "images"})
		}
		return list
	}
	params := map[string]any{
		"packages": map[string]string{"family": saved.Family},
		"ticket":   map[string]string{"stick": saved.Ticket},
	}
	for _, name := range []string{
		"hosts", "firewall", "selinux", "swap", "modules", "sysctl", "ipvs", "route", "packages", "time", saved.Runtime, "kubelet", "images",
		"vip", "identity", "init", "join", "kubeconfig", "dns", "ticket",
	} {
		list = append(list, step.Begin{Step: name, Params: params[name]})
	}
	return list
}
