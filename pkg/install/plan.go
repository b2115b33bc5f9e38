// Package install is the installer: what a host of one role needs from the
// archive, and the steps that bring it there.
package install

import (
	"fmt"
	"io"
	"slices"

	"kubecrate/manifest"
	"kubecrate/pkg/archive"
	"kubecrate/pkg/lines"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/report"
)

// Plan is what an installation of one role does, in order, as far as the
// archive alone tells it: the host is not looked at.
type Plan struct {
	Bundle   string        `json:"bundle"`
	Role     manifest.Role `json:"role"`
	Packages []string      `json:"packages"` // NEVRAs
	Images   []string      `json:"images"`   // canonical names
	Files    []string      `json:"files"`    // paths in the archive
	Raw      int64         `json:"raw"`      // bytes read, before compression
	Members  int           `json:"members"`
	Steps    []Step        `json:"steps"`
}

// Step is one entry of the plan.
type Step struct {
	Name string `json:"name"`
	What string `json:"what"`
}

// MakePlan reads the bundle's own description out of r.
func MakePlan(r *archive.Reader, role manifest.Role) (*Plan, error) {
	lock, err := report.Lock(r)
	if err != nil {
		return nil, err
	}
	text, err := r.ReadFile("bundle.yaml")
	if err != nil {
		return nil, fmt.Errorf("cannot read the archive's manifest: %w", err)
	}
	m, err := manifest.Parse("bundle.yaml", text)
	if err != nil {
		return nil, err
	}
	p := &Plan{Bundle: lock.Name + "-" + lock.Platform.Arch, Role: role}
	for _, pkg := range lock.Packages {
		p.Packages = append(p.Packages, pkg.NEVRA)
	}
	for _, img := range lock.Images {
		if needed(img.Roles, role) {
			p.Images = append(p.Images, img.Name)
		}
	}
	for _, f := range lock.Files {
		if needed(f.Roles, role) {
			p.Files = append(p.Files, f.Path)
		}
	}
	for _, member := range r.Index().Members {
		if member.NeededBy(role) {
			p.Members++
			p.Raw += member.Size
		}
	}
	p.Steps = steps(m, p)
	return p, nil
}

func needed(roles []manifest.Role, role manifest.Role) bool {
	return manifest.Artifact{Roles: roles}.NeededBy(role)
}

// steps lists what is done on the host, in the order of the kubeadm guide.
func steps(m *manifest.Manifest, p *Plan) []Step {
	list := []Step{
		{"verify", fmt.Sprintf("check %d members, %s unpacked, while they are read", p.Members, progress.Size(p.Raw))},
		{"hosts", "hostname and /etc/hosts"},
		{"time", "chronyd started and enabled"},
		{"firewall", "firewalld and iptables services stopped and disabled"},
		{"selinux", "permissive now, SELINUX=disabled in /etc/selinux/config"},
		{"swap", "off now and in /etc/fstab"},
		{"kernel", "br_netfilter, overlay and the ip_vs modules; /etc/sysctl.d/kubernetes.conf"},
		{"packages", fmt.Sprintf("%d RPMs offered to yum from the archive, the missing ones installed", len(p.Packages))},
		{m.Runtime, fmt.Sprintf("%s with the systemd cgroup driver, started and enabled", m.Runtime)},
		{"images", fmt.Sprintf("%d images loaded", len(p.Images))},
	}
	if p.Role == manifest.Node {
		return append(list, Step{"join", "kubeadm join with the ticket that the master left"})
	}
	list = append(list,
		Step{"init", "kubeadm init, Kubernetes " + m.Kubernetes},
		Step{"network", fmt.Sprintf("%s applied with the cluster's pod CIDR", m.Network)},
		Step{"ticket", "join.yaml written for the other hosts"},
	)
	if p.Role == manifest.Single {
		list = append(list, Step{"untaint", "the control plane runs pods too"})
	}
	return list
}

// WriteText prints the plan for people.
func (p *Plan) WriteText(w io.Writer) error {
	out := lines.New(w)
	out.Line("%s, role %s: what the archive holds for this host; the host itself was not looked at", p.Bundle, p.Role)
	out.Line("")
	for i, s := range p.Steps {
		out.Line("%2d\t%s\t%s", i+1, s.Name, s.What)
	}
	out.Line("")
	for _, section := range []struct {
		title string
		names []string
	}{{"packages", p.Packages}, {"images", p.Images}, {"files", p.Files}} {
		out.Line("%s (%d)", section.title, len(section.names))
		for _, name := range slices.Sorted(slices.Values(section.names)) {
			out.Line("  %s", name)
		}
	}
	return out.Flush()
}
