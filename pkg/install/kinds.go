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

// Tables are what an installation can choose from: networks, runtimes, families of
// systems and preparations. A table that is nil is that of this version. What is in
// a table, and only that, every verb knows.
type Tables struct {
	Networks     cni.Networks
	Runtimes     cri.Runtimes
	Families     software.Sources
	Preparations prep.Preparations
}

// families are the ways in which programs come to a host.
func (t Tables) families() software.Sources {
	if t.Families == nil {
		return distro.All(t.Runtimes)
	}
	return t.Families
}

// packageSteps are the names of the steps that brought programs to the host of saved.
func (t Tables) packageSteps(saved *target.State) ([]string, error) {
	source, err := t.families().For(saved.Family)
	if err != nil {
		return nil, err
	}
	return stepreport.Names(source.Steps(software.Bundle{}, nil)), nil
}

// words are the names that a manifest may use of what is in the tables.
func (t Tables) words() manifest.Words {
	w := manifest.Words{Runtimes: t.Runtimes.Names(), Networks: t.Networks.Installable().Names()}
	for _, s := range t.families() {
		w.Families = append(w.Families, s.About().Name)
	}
	return w
}

// kinds is the table of all steps that an installation, or a verb after it, can
// consist of. A step is listed nowhere else: steps makes them, Reset finds in the
// journal which of them were begun.
func (t Tables) kinds(report progress.Func) step.Kinds {
	return slices.Concat(t.Preparations.Kinds(), t.families().Kinds(report), t.Runtimes.Kinds(report), vip.Kinds(),
		kubeadm.Kinds(report, t.Networks, t.Runtimes), cni.Kinds())
}

// openJournal opens the journal of h for a change. saved is the state that an
// earlier run left, nil without one.
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

// impliedBegins are the begin records that a journal lacks which was written
// before there were any: those of all steps that there were, in their order, with
// the parameters that stand in install.json. The list ends with that version, and
// no step is ever added to it.
func impliedBegins(h *host.Host, saved *target.State) (list []step.Begin) {
	if saved == nil {
		if cri.Undoable(h) != nil { // images were loaded, and nothing else was done
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
