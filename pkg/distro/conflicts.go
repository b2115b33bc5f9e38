package distro

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kubecrate/pkg/host"
	"kubecrate/pkg/nevra"
)

// known lists packages that cannot be installed beside one of the bundle although
// neither declares a conflict: they own the same files or start the same services.
func (d Distro) known(name string) []string {
	switch name {
	case "kubelet":
		return []string{"kubernetes", "kubernetes-master", "kubernetes-node"}
	case "kubectl":
		return []string{"kubernetes-client"}
	case "kubeadm":
		return []string{"kubernetes-kubeadm"}
	}
	return d.runtimes.Conflicts(name)
}

// conflicts finds installed packages that prevent an installation: by a conflict, by
// an obsolete, which would remove them irreversibly, or by a known incompatibility.
// Each is listed once.
type conflicts struct {
	have    installed
	missing []change
	found   map[string]problem // by name of the installed package
	asked   map[string]change  // by capability that is not the name of an installed package
}

// findConflicts queries rpm only if a conflict names a capability.
func (d Distro) findConflicts(ctx context.Context, h *host.Host, have installed, missing []change, primary map[string]relations) ([]problem, error) {
	r := &conflicts{have: have, missing: missing, found: map[string]problem{}, asked: map[string]change{}}
	for _, c := range missing {
		p := primary[label(c.want)]
		for _, o := range p.obsoletes {
			for _, n := range r.matching(c, o) {
				r.add(n, "%s obsoletes the installed %s", c.want, n)
			}
		}
		for _, x := range p.conflicts {
			for _, n := range r.matching(c, x) {
				r.add(n, "%s conflicts with the installed %s", c.want, n)
			}
			if _, there := have[x.Name]; !there && x.Op == nevra.Any {
				r.asked[x.Name] = c
			}
		}
		for _, name := range d.known(c.want.Name) {
			for _, n := range r.matching(c, nevra.Relation{Name: name}) {
				r.add(n, "%s is incompatible with the installed %s", c.want, n)
			}
		}
	}
	if err := r.ask(ctx, h); err != nil {
		return nil, err
	}
	var list []problem
	for _, name := range sorted(r.found) {
		list = append(list, r.found[name])
	}
	return list, nil
}

func (r *conflicts) add(n nevra.NEVRA, format string, args ...any) {
	if _, there := r.found[n.Name]; !there {
		r.found[n.Name] = problem{what: fmt.Sprintf(format, args...), remove: []string{n.Name}}
	}
}

// matching lists the installed packages that match rel and are not replaced by the
// installation, except builds of c itself.
func (r *conflicts) matching(c change, rel nevra.Relation) []nevra.NEVRA {
	var list []nevra.NEVRA
	for _, n := range r.have[rel.Name] {
		if n.Name == c.want.Name || r.replaced(n) {
			continue
		}
		if rel.Matches(nevra.Relation{Name: n.Name, Op: nevra.EQ, EVR: n.EVR}) {
			list = append(list, n)
		}
	}
	return list
}

// replaced reports whether the bundle installs another build of n.
func (r *conflicts) replaced(n nevra.NEVRA) bool {
	return slices.ContainsFunc(r.missing, func(c change) bool { return c.want.Name == n.Name })
}

// ask finds the installed packages that provide a conflicting capability.
func (r *conflicts) ask(ctx context.Context, h *host.Host) error {
	const mark = "package "
	for _, capability := range sorted(r.asked) {
		c := r.asked[capability]
		out, err := h.Query(ctx, "rpm", "-q", "--whatprovides", "--qf", mark+nevraFormat, capability)
		if err != nil && host.ExitCode(err) <= 0 { // the exit code counts capabilities without a provider
			return fmt.Errorf("cannot query which package provides %s: %w", capability, err)
		}
		for line := range strings.Lines(string(out)) {
			rest, ok := strings.CutPrefix(line, mark)
			for _, list := range parseInstalled(rest) {
				if n := list[0]; ok && n.Name != c.want.Name && !r.replaced(n) {
					r.add(n, "%s conflicts with the installed %s, which provides %s", c.want, n, capability)
				}
			}
		}
	}
	return nil
}

// unowned lists programs of packages to install that already exist on the host but
// belong to no package: they were installed by hand and would be overwritten.
func unowned(ctx context.Context, h *host.Host, missing []change, primary map[string]relations) ([]string, error) {
	var there []string
	for _, c := range missing {
		if c.from != nil {
			continue
		}
		for _, path := range primary[label(c.want)].files {
			ok, err := h.Exists(path)
			if err != nil {
				return nil, fmt.Errorf("cannot check %s: %w", path, err)
			}
			if ok {
				there = append(there, path)
			}
		}
	}
	if len(there) == 0 {
		return nil, nil
	}
	out, err := h.Query(ctx, append([]string{"rpm", "-qf", "--qf", nevraFormat}, there...)...)
	if err != nil && host.ExitCode(err) <= 0 {
		return nil, fmt.Errorf("cannot query which package owns %s: %w", there[0], err)
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		rest, ok := strings.CutSuffix(strings.TrimSpace(line), " is not owned by any package")
		if path, is := strings.CutPrefix(rest, "file "); ok && is {
			list = append(list, path)
		}
	}
	return list, nil
}

// hint is the command that removes all conflicting packages.
func (d Distro) hint(list []problem) string {
	var names []string
	for _, p := range list {
		names = append(names, p.remove...)
	}
	slices.Sort(names)
	return d.removal(slices.Compact(names)...) + " removes them; or use a bundle with the installed versions"
}

// errImpossible means that the host changed between Check and Apply.
var errImpossible = errors.New("installed packages prevent the installation")
