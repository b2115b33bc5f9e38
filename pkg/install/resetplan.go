package install

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/host"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/step"
)

// ResetPlan is what Reset would do on a host. Node is what the host is called in
// the cluster.
type ResetPlan struct {
	Bundle  string        `json:"bundle,omitempty"`
	Role    manifest.Role `json:"role,omitempty"`
	Node    string        `json:"node,omitempty"`
	Losing  []string      `json:"losing,omitempty"`  // what no later run brings back
	Changes []step.Change `json:"changes,omitempty"` // of files, services and settings, as they are undone
	Empty   bool          `json:"empty"`             // there is nothing to undo
}

// Controls says that a part of the cluster's control plane goes with the host.
func (p *ResetPlan) Controls() bool {
	return !p.Empty && (p.Role == manifest.Master || p.Role == manifest.Single)
}

// PlanReset says what Reset would do, and changes nothing.
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
			p.Losing = []string{"the images that ./install load brought, but for those that containers use"}
		}
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	p.Bundle, p.Role = saved.Bundle, saved.Role
	name, err := h.Text("/proc/sys/kernel/hostname")
	if err != nil {
		return nil, fmt.Errorf("cannot tell the name of this host: %w", err)
	}
	if p.Node = strings.ToLower(strings.TrimSpace(saved.Hostname)); p.Node == "" {
		p.Node = strings.ToLower(strings.TrimSpace(name))
	}
	p.Losing = losing(p, q.KeepPackages)
	return p, nil
}

// losing is what goes with a host of the role.
func losing(p *ResetPlan, keepPackages bool) []string {
	var list []string
	if p.Controls() {
		list = append(list, "the cluster's data on this master: etcd, the certificates and their keys. Where it is the only master, that is the whole cluster")
	}
	list = append(list, "node "+p.Node+", its pods, and what they keep below /var/lib/kubelet", "the images of the bundle, but for those that containers use")
	if !keepPackages {
		list = append(list, "the packages that came with the bundle, but for those that others need by now")
	}
	return list
}

// untouched says that nothing of this program is kept on h.
func untouched(h *host.Host) (bool, error) {
	names, err := h.ReadDir(step.Dir)
	if err != nil {
		return false, fmt.Errorf("cannot look into %s: %w", step.Dir, err)
	}
	return len(names) == 0, nil
}

// WriteText prints the plan for people.
func (p *ResetPlan) WriteText(w io.Writer) error {
	out := lines.New(w)
	if p.Empty {
		out.Line("nothing was installed on this host: reset would change nothing")
		return out.Flush()
	}
	if p.Bundle == "" {
		out.Line("what ./install reset would do here; nothing was changed")
	} else {
		out.Line("%s, role %s, node %s: what ./install reset would do here; nothing was changed", p.Bundle, p.Role, p.Node)
	}
	for _, l := range p.Losing {
		out.Line("  remove %s", l)
	}
	for _, c := range p.Changes {
		out.Line("  %s\t%s", c.Step, c.Undo)
	}
	return out.Flush()
}
