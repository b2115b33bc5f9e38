package modules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kubecrate/pkg/hint"
	"kubecrate/pkg/nevra"
)

// View is what a host sees with some streams active.
type View struct {
	index    *Index
	active   map[string]string // by module
	modular  map[string][]*Module
	visible  map[string]*Module // by package
	shadowed map[string]*Module // by name of a package: other packages of that name are not seen
	tries    int
}

// maxTries bounds the search for streams that go together; real repositories
// need some hundreds.
const maxTries = 100_000

// See returns what a host sees. chosen are streams as "NAME:STREAM"; of a module
// that is not among them the default stream is active, where there is one. What
// an active stream requires of other modules is active too, unless another stream
// of that module is; a default stream that cannot be had so is not active.
func (x *Index) See(chosen []string) (*View, error) {
	v := &View{index: x, active: map[string]string{}, modular: map[string][]*Module{}, visible: map[string]*Module{}, shadowed: map[string]*Module{}}
	wanted := map[string]string{}
	for _, c := range chosen {
		name, stream, ok := strings.Cut(c, ":")
		streams := x.streams(name)
		if !ok || !slices.Contains(streams, stream) {
			err := fmt.Errorf("cannot choose the module stream %s: no repository has it", c)
			if len(streams) == 0 {
				return nil, hint.With(err, "remove it from packages.modules, or add the repository that has the module %s", name)
			}
			return nil, hint.With(err, "write one of %s:%s under packages.modules", name, strings.Join(streams, ", "+name+":"))
		}
		wanted[name] = stream
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !v.activate(name, wanted[name], wanted) {
			return nil, hint.With(fmt.Errorf("cannot choose the module stream %s:%s: it requires streams of other modules that are missing or not chosen", name, wanted[name]),
				"to list its requirements: dnf module info %s:%s", name, wanted[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.Defaults)) {
		if _, ok := v.active[name]; !ok {
			v.activate(name, x.Defaults[name], wanted)
		}
	}
	v.look()
	return v, nil
}

// activate makes a stream active with what it requires, or changes nothing.
func (v *View) activate(name, stream string, wanted map[string]string) bool {
	if v.tries++; v.tries > maxTries {
		return false
	}
	before := maps.Clone(v.active)
	v.active[name] = stream
	for _, m := range v.index.Modules {
		if m.Name == name && m.Stream == stream && v.satisfied(m, wanted, true) {
			return true
		}
	}
	v.active = before
	return false
}

// satisfied says whether what m requires is active; with pull set, streams of
// modules that have none yet are made active for it.
func (v *View) satisfied(m *Module, wanted map[string]string, pull bool) bool {
	if len(m.Requires) == 0 {
		return true
	}
	return slices.ContainsFunc(m.Requires, func(all map[string][]string) bool {
		before := maps.Clone(v.active)
		if v.all(all, m, wanted, pull) {
			return true
		}
		v.active = before
		return false
	})
}

// all says whether every module of one alternative is active in a stream that
// fits.
func (v *View) all(all map[string][]string, m *Module, wanted map[string]string, pull bool) bool {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name == "platform" || name == m.Name { // the platform is the host's
			continue
		}
		stream, ok := v.active[name]
		if ok && !fits(stream, all[name]) || !ok && (!pull || !v.pull(name, all[name], wanted)) {
			return false
		}
	}
	return true
}

// pull makes the chosen, default or first stream active that fits.
func (v *View) pull(name string, streams []string, wanted map[string]string) bool {
	try := []string{wanted[name]}
	if wanted[name] == "" {
		try = append([]string{v.index.Defaults[name]}, v.index.streams(name)...)
	}
	return slices.ContainsFunc(try, func(s string) bool {
		return s != "" && fits(s, streams) && v.activate(name, s, wanted)
	})
}

// fits reads a list of streams: none is any, "-x" is all but x.
func fits(stream string, list []string) bool {
	if slices.Contains(list, "-"+stream) {
		return false
	}
	return slices.Contains(list, stream) || !slices.ContainsFunc(list, func(s string) bool { return !strings.HasPrefix(s, "-") })
}

func (v *View) look() {
	for _, m := range v.index.Modules {
		seen := v.active[m.Name] == m.Stream && v.satisfied(m, nil, false)
		for _, n := range m.Artifacts {
			v.modular[n.String()] = append(v.modular[n.String()], m)
			if seen {
				v.visible[n.String()], v.shadowed[n.Name] = m, m
			}
		}
	}
}

// Module is the active stream that a package is of, nil for any other package.
func (v *View) Module(n nevra.NEVRA) *Module { return v.visible[n.String()] }

// Hidden says why a host does not see a package, as a clause that follows its
// name; "" where it does.
func (v *View) Hidden(n nevra.NEVRA) string {
	if v.visible[n.String()] != nil {
		return ""
	}
	if of := v.modular[n.String()]; len(of) > 0 {
		m := of[0]
		switch stream, ok := v.active[m.Name]; {
		case ok && stream != m.Stream:
			return fmt.Sprintf("is from the module stream %s, but %s:%s is active: to choose it, write %s under packages.modules", m, m.Name, stream, m)
		case ok:
			return fmt.Sprintf("is from a build of the module stream %s that requires inactive streams of other modules", m)
		}
		return fmt.Sprintf("is from the module stream %s, which is not a default: to choose it, write %s under packages.modules", m, m)
	}
	if m := v.shadowed[n.Name]; m != nil {
		return fmt.Sprintf("is not from a module, and is hidden by %s of the active module stream %s", n.Name, m)
	}
	return ""
}

// Others are the streams beside m that there are of its module.
func (v *View) Others(m *Module) []string {
	return slices.DeleteFunc(v.index.streams(m.Name), func(s string) bool { return s == m.Stream })
}

// Default says whether m is of the default stream.
func (v *View) Default(m *Module) bool { return v.index.Defaults[m.Name] == m.Stream }
