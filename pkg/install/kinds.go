package install

import (
	"errors"
	"slices"

	"kubecrate/pkg/cni"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/host"
	"kubecrate/pkg/install/target"
	"kubecrate/pkg/kubeadm"
	"kubecrate/pkg/prep"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/step"
	"kubecrate/pkg/vip"
)

// kinds is the table of all steps that an installation, or a verb after it, can
// consist of. A step is listed nowhere else: steps makes them, Reset finds in the
// journal which of them were begun.
func kinds(report progress.Func, networks cni.Networks) step.Kinds {
	return slices.Concat(prep.Kinds(), distro.Kinds(report), cri.Kinds(report), vip.Kinds(), kubeadm.Kinds(report, networks), cni.Kinds())
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
