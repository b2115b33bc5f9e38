// Package distro knows the families of operating systems that a bundle is made
// for, and brings the bundle's packages into them with their own package
// manager: nothing is forced, and no repository but the bundle's is asked.
package distro

import (
	"fmt"
	"strings"
)

// Distro is a family of operating systems whose packages fit each other.
type Distro struct {
	name    string
	manager string // the program that installs packages: yum or dnf
	major   int    // of the release
	minor   int    // the least one
	// settings are lines of the repository's file that this family needs.
	settings string
}

// distros lists the families, each in a file of its own.
func distros() []Distro { return []Distro{el7(), el8(), el9()} }

// For gives the family that a manifest's platform.family names.
func For(family string) (Distro, error) {
	var names []string
	for _, d := range distros() {
		if d.name == family {
			return d, nil
		}
		names = append(names, d.name)
	}
	return Distro{}, fmt.Errorf("cannot install on the family %q: it is not one of %s", family, strings.Join(names, ", "))
}

// Name is the word of a manifest ("el7").
func (d Distro) Name() string { return d.name }

// Manager is the program that installs packages: yum or dnf.
func (d Distro) Manager() string { return d.manager }

// Remove is the command that takes packages off a host, as the operator types
// it: it needs no repository.
func (d Distro) Remove(names ...string) string {
	return fmt.Sprintf("%s --disablerepo='*' remove %s", d.manager, strings.Join(names, " "))
}

// bundleOnly starts a command line of the manager that changes packages: no
// question, the settings of configText alone, no plugin, no repository but the
// bundle's. The flags say again what the settings do, for whoever looks at what
// is at work; working knows it by one of them.
func (d Distro) bundleOnly() []string {
	return []string{d.manager, "-y", "--config=" + configFile, "--noplugins", "--disableexcludes=all", "--disablerepo=*", "--enablerepo=" + repoID}
}
