package bundle

import (
	"context"
	"fmt"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/depsolve"
	"kubecrate/pkg/distro"
	"kubecrate/pkg/modules"
	"kubecrate/pkg/nevra"
	"kubecrate/pkg/source/rpmrepo"
)

// moduleView is which packages a host sees of modular repositories, nil where no
// repository has modules, or the hosts know of none.
func (s *Sources) moduleView(ctx context.Context, m *manifest.Manifest, repos []*rpmrepo.Repository) (*modules.View, error) {
	family, err := distro.For(m.Platform.Family)
	if err != nil {
		return nil, err
	}
	if !family.About().Modular {
		return nil, nil
	}
	index, any := &modules.Index{}, len(m.Packages.Modules) > 0
	for _, r := range repos {
		odd, found, err := r.LoadModules(ctx, index)
		if err != nil {
			return nil, err
		}
		if odd > 0 {
			s.warn(fmt.Sprintf("repository %s: left out %d documents of modules.yaml, which cannot be understood", r.ID, odd))
		}
		any = any || found
	}
	if !any {
		return nil, nil
	}
	return index.See(m.Packages.Modules)
}

// hide takes out of u what a host does not see.
func (u *universe) hide(view *modules.View) {
	if view == nil {
		return
	}
	var seen []depsolve.Candidate
	for _, c := range u.candidates {
		if why := view.Hidden(c.Meta.NEVRA); why != "" {
			u.rejected = append(u.rejected, depsolve.Rejected{Meta: c.Meta, Why: why})
			continue
		}
		seen = append(seen, c)
	}
	u.candidates = seen
}

// warnModular says which streams chosen packages are of, each once, and which
// packages seem to be of one while no modules.yaml says so.
func (s *Sources) warnModular(view *modules.View, chosen []depsolve.Choice) {
	told := map[string]bool{}
	for _, c := range chosen {
		var m *modules.Module
		if view != nil {
			m = view.Module(c.Meta.NEVRA)
		}
		switch {
		case m != nil && !told[m.Name]:
			told[m.Name] = true
			s.warn(streamText(view, m, c.Meta.NEVRA))
		case m == nil && strings.Contains(c.Meta.Release, "module") && !told[c.Repo+"/"]:
			told[c.Repo+"/"] = true
			s.warn(fmt.Sprintf("%s looks like a package of a module, and repository %s has no modules.yaml that names it: streams are not told apart, the newest is taken; name another version under packages.roots to have that", c.Meta.NEVRA, c.Repo))
		}
	}
}

func streamText(view *modules.View, m *modules.Module, n nevra.NEVRA) string {
	how := "chosen"
	if view.Default(m) {
		how = "default"
	}
	text := fmt.Sprintf("%s is of the module stream %s (%s)", n, m, how)
	if others := view.Others(m); len(others) > 0 {
		text += fmt.Sprintf("; other streams are %s: packages.modules: [%s:%s] in the manifest chooses one", strings.Join(others, ", "), m.Name, others[0])
	}
	return text
}
