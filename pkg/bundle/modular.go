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

// moduleView tells which packages of modular repositories a host sees. It is nil if
// no repository has modules or the hosts do not support them.
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
			s.warn(fmt.Sprintf("repository %s: ignored %d invalid documents of modules.yaml", r.ID, odd))
		}
		any = any || found
	}
	if !any {
		return nil, nil
	}
	return index.See(m.Packages.Modules)
}

// hide removes from u what a host does not see.
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

// warnModular reports the streams of chosen packages, each once, and packages that
// seem to be from a stream that no modules.yaml names.
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
			s.warn(fmt.Sprintf("%s looks like a module package, but repository %s has no modules.yaml that names it: streams are not distinguished and the newest version is used; to choose another version, name it under packages.roots", c.Meta.NEVRA, c.Repo))
		}
	}
}

func streamText(view *modules.View, m *modules.Module, n nevra.NEVRA) string {
	how := "chosen"
	if view.Default(m) {
		how = "default"
	}
	text := fmt.Sprintf("%s is from the module stream %s (%s)", n, m, how)
	if others := view.Others(m); len(others) > 0 {
		text += fmt.Sprintf("; other streams: %s; to choose one, in the manifest: packages.modules: [%s:%s]", strings.Join(others, ", "), m.Name, others[0])
	}
	return text
}
