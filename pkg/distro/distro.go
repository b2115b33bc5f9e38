// Package distro knows the families of operating systems that a bundle is made
// for, and brings the bundle's packages into them with their own package
// manager: nothing is forced, and no repository but the bundle's is asked.
package distro

import (
	"path"
	"slices"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Distro is a family of operating systems whose packages fit each other. It is a
// software.Source.
type Distro struct {
	name     string
	manager  string // the program that installs packages: yum or dnf
	major    int    // of the release
	minor    int    // the least one
	cgroups  software.Cgroups
	cpuLevel int  // of x86-64 processors
	modular  bool // its manager knows modules
	runtimes cri.Runtimes
}

// distros lists the families, each in a file of its own. runtimes are those whose
// packages are known.
func distros(runtimes cri.Runtimes) []Distro {
	list := []Distro{el7(), el8(), el9()}
	for i := range list {
		list[i].runtimes = runtimes
	}
	return list
}

// All are the families of this version, by the names that platform.family of a
// manifest may have. runtimes are those whose packages are known, nil all.
func All(runtimes cri.Runtimes) software.Sources {
	var list software.Sources
	for _, d := range distros(runtimes) {
		list = append(list, d)
	}
	return list
}

// For is the family of a name, with the runtimes of this version.
func For(family string) (Distro, error) {
	all := distros(nil)
	if i := slices.IndexFunc(all, func(d Distro) bool { return d.name == family }); i >= 0 {
		return all[i], nil
	}
	_, err := All(nil).For(family)
	return Distro{}, err
}

// About is software.Source's.
func (d Distro) About() software.About {
	return software.About{Name: d.name, Programs: []string{"rpm"}, Dirs: []string{path.Dir(repoFile), databaseDir},
		Cgroups: d.cgroups, CPULevel: d.cpuLevel, Modular: d.modular}
}

// Steps is software.Source's.
func (d Distro) Steps(b software.Bundle, report progress.Func) []step.Step {
	return []step.Step{Packages(d, b, report)}
}

// Kinds is software.Source's: all families have one, whose parameter is the family.
func (Distro) Kinds(report progress.Func) step.Kinds { return Kinds(report) }

// settings are lines of the repository's file that this family needs: packages of
// the bundle count although a module stream of the host has the same names.
func (d Distro) settings() string {
	if d.modular {
		return "module_hotfixes=1\n"
	}
	return ""
}

// bundleOnly starts a command line of the manager that changes packages: no
// question, the settings of configText alone, no plugin, no repository but the
// bundle's. The flags say again what the settings do, for whoever looks at what
// is at work; working knows it by one of them.
func (d Distro) bundleOnly() []string {
	return []string{d.manager, "-y", "--config=" + configFile, "--noplugins", "--disableexcludes=all", "--disablerepo=*", "--enablerepo=" + repoID}
}
