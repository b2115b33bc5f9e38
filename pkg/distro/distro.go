// Package distro is the table of operating system families, and installs the bundle's
// packages with the system's own package manager: nothing is forced, and no repository
// but the bundle's is used.
package distro

import (
	"path"
	"slices"
	"strconv"

	"kubecrate/pkg/cri"
	"kubecrate/pkg/progress"
	"kubecrate/pkg/software"
	"kubecrate/pkg/step"
)

// Distro is a family of operating systems with compatible packages. It implements
// software.Source.
type Distro struct {
	name     string
	manager  string // package manager: yum or dnf
	major    int    // major release
	minor    int    // minimum minor release
	cgroups  software.Cgroups
	cpuLevel int  // minimum x86-64 level
	modular  bool // its manager supports modules
	runtimes cri.Runtimes
}

// distros lists the families, one file each. runtimes are those whose
// packages are known.
func distros(runtimes cri.Runtimes) []Distro {
	list := []Distro{el7(), el8(), el9()}
	for i := range list {
		list[i].runtimes = runtimes
	}
	return list
}

// All returns the families of this version. Their names are the values of
// platform.family in a manifest. runtimes are those with known packages, nil means all.
func All(runtimes cri.Runtimes) software.Sources {
	var list software.Sources
	for _, d := range distros(runtimes) {
		list = append(list, d)
	}
	return list
}

// For returns the family of a name, with the runtimes of this version.
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
		Cgroups: d.cgroups, CPULevel: d.cpuLevel, Modular: d.modular, Release: strconv.Itoa(d.major)}
}

// Steps is software.Source's.
func (d Distro) Steps(b software.Bundle, report progress.Func) []step.Step {
	return []step.Step{Packages(d, b, report)}
}

// Kinds is software.Source's: all families share one kind, with the family as
// parameter.
func (Distro) Kinds(report progress.Func) step.Kinds { return Kinds(report) }

// settings are additional lines of the .repo file for this family: the bundle's
// packages must be visible although a module stream of the host has the same names.
func (d Distro) settings() string {
	if d.modular {
		return "module_hotfixes=1\n"
	}
	return ""
}

// bundleOnly returns the start of a manager's command line that changes packages:
// non-interactive, with only the settings of configText, without plugins, and with
// only the bundle's repository. The flags repeat the settings so that they are visible
// in the process list; working recognises one of them.
func (d Distro) bundleOnly() []string {
	return []string{d.manager, "-y", "--config=" + configFile, "--noplugins", "--disableexcludes=all", "--disablerepo=*", "--enablerepo=" + repoID}
}
