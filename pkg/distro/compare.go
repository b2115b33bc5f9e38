package distro

import (
	"fmt"

	"kubecrate/manifest"
	"kubecrate/pkg/nevra"
)

// change is a package to install, and the older build that it replaces.
type change struct {
	want nevra.NEVRA
	from *nevra.NEVRA
}

func (c change) String() string {
	if c.from == nil {
		return fmt.Sprintf("install %s", c.want)
	}
	return fmt.Sprintf("install %s in place of %s", c.want, c.from.EVR)
}

// problem is why packages cannot be installed, and which packages to remove.
type problem struct {
	what   string
	remove []string
}

// compare lists packages of the lock that are missing on a host, and installed ones
// that are newer than the version required by the manifest.
func compare(lock []manifest.LockedPackage, have installed) (missing []change, newer []problem) {
	for _, p := range lock {
		n := p.NEVRA
		list := have.of(n)
		if len(list) == 0 {
			missing = append(missing, change{want: n})
			continue
		}
		newest := list[0]
		switch is := newest.Compare(n.EVR); {
		case is < 0:
			missing = append(missing, change{want: n, from: &newest})
		case is > 0 && pinned(p, n) && !satisfies(p, n, newest):
			newer = append(newer, problem{
				what:   fmt.Sprintf("%s is installed, but the bundle requires %s", newest, n.EVR),
				remove: []string{n.Name},
			})
		}
	}
	return missing, newer
}

// pinned reports whether the manifest requires this version of the package.
func pinned(p manifest.LockedPackage, n nevra.NEVRA) bool {
	for _, w := range p.Why {
		if version, _ := nevra.ParsePin(w.Root).Fixes(n); version {
			return true
		}
	}
	return false
}

// satisfies reports whether another build also satisfies every pin of p: a pin may
// omit the release.
func satisfies(p manifest.LockedPackage, n, other nevra.NEVRA) bool {
	for _, w := range p.Why {
		if version, release := nevra.ParsePin(w.Root).Fixes(n); version && (release || nevra.Vercmp(n.Version, other.Version) != 0) {
			return false
		}
	}
	return true
}
