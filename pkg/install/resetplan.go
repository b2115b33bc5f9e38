package install

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/step"
	"kubecrate/pkg/table"
)

// ResetPlan is the planned changes of Reset. Node is the name of the host's node.
type ResetPlan struct {
	Bundle  string        `json:"bundle,omitempty"`
	Role    manifest.Role `json:"role,omitempty"`
	Node    string        `json:"node,omitempty"`
	Losing  []string      `json:"losing,omitempty"`  // what a later run does not restore
	Changes []step.Change `json:"changes,omitempty"` // of files, services and settings, in the order of undoing
	Empty   bool          `json:"empty"`             // there is nothing to undo
}

// Controls reports whether the host is part of the control plane.
func (p *ResetPlan) Controls() bool {
	return !p.Empty && (p.Role == manifest.Master || p.Role == manifest.Single)
}

// PlanReset returns what Reset would do, and changes nothing.
func PlanReset(h *host.Host, q ResetRequest) (*ResetPlan, error) {
	saved, err := readState(h)
	if err != nil {
		return nil, err
	}
	if err := step.CanReset(h, q.Caller.kinds(nil)); err != nil {
		return nil, err
	}
	p := &ResetPlan{}
	if p.Changes, err = step.Changes(h); err != nil {
		return nil, err
	}
	if q.KeepPackages && saved != nil {
		names, err := q.Caller.packageSteps(saved)
		if err != nil {
			return nil, err
		}
		p.Changes = slices.DeleteFunc(p.Changes, func(c step.Change) bool { return slices.Contains(names, c.Step) })
	}
	if saved == nil {
		p.Empty, err = untouched(h)
		if !p.Empty && err == nil {
			err = onlyLoaded(h)
			p.Losing = []string{"the images loaded by ./install load, except those that containers use"}
		}
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	p.Bundle, p.Role = saved.Bundle, saved.Role
	name, err := h.Text("/proc/sys/kernel/hostname")
	if err != nil {
		return nil, fmt.Errorf("cannot determine the name of this host: %w", err)
	}
	if p.Node = strings.ToLower(strings.TrimSpace(saved.Hostname)); p.Node == "" {
		p.Node = strings.ToLower(strings.TrimSpace(name))
	}
	p.Losing = losing(p, q.KeepPackages)
	return p, nil
}

// losing lists what a reset of a host of the role deletes.
func losing(p *ResetPlan, keepPackages bool) []string {
	var list []string
	if p.Controls() {
		list = append(list, "the cluster's data on this master: etcd, certificates and keys. If it is the only master, that is the whole cluster")
	}
	list = append(list, "node "+p.Node+", its pods, and their data below /var/lib/kubelet", "the images of the bundle, except those that containers use")
	if !keepPackages {
		list = append(list, "the packages of the bundle, except those that other packages need")
	}
	return list
}

// untouched reports whether this program has no state on h.
func untouched(h *host.Host) (bool, error) {
	names, err := h.ReadDir(step.Dir)
	if err != nil {
		return false, fmt.Errorf("cannot list %s: %w", step.Dir, err)
	}
	return len(names) == 0, nil
}

// WriteText prints the plan as text.
func (p *ResetPlan) WriteText(w io.Writer) error {
	out := table.New(w)
	if p.Empty {
		out.Line("nothing was installed on this host: reset would change nothing")
		return out.Flush()
	}
	if p.Bundle == "" {
		out.Line("./install reset would do this; nothing was changed")
	} else {
		out.Line("%s, role %s, node %s: ./install reset would do this; nothing was changed", p.Bundle, p.Role, p.Node)
	}
	for _, l := range p.Losing {
		out.Line("  remove %s", l)
	}
	for _, c := range p.Changes {
		out.Line("  %s\t%s", c.Step, c.Undo)
	}
	return out.Flush()
}
