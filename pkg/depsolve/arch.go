package depsolve

import (
	"slices"
	"strings"

	"kubecrate/pkg/nevra"
)

// affinity says how a package's architecture stands to the target's.
type affinity uint8

const (
	foreign  affinity = iota // does not run there
	multilib                 // runs as a second architecture
	native
)

// archAffinity follows rpm's arch_compat tables (rpmrc.in) for the targets
// that are built for; an unknown target runs itself and noarch.
func archAffinity(target, arch string) affinity {
	if arch == target || arch == "noarch" {
		return native
	}
	intel := []string{"i686", "i586", "i486", "i386", "athlon"}
	switch target {
	case "x86_64":
		if arch == "amd64" || arch == "ia32e" {
			return native
		}
		if slices.Contains(intel, arch) {
			return multilib
		}
	case "i686":
		if slices.Contains(intel[1:4], arch) {
			return native
		}
	}
	return foreign
}

// archOverlap says whether two architectures of one name take each other's
// place: equal ones do, noarch does with any, x86_64 and i686 do not.
func archOverlap(a, b string) bool {
	return a == b || a == "noarch" || b == "noarch" || archFamily(a) == archFamily(b)
}

func archFamily(arch string) string {
	switch arch {
	case "i686", "i586", "i486", "i386", "athlon":
		return "i386"
	case "amd64", "ia32e":
		return "x86_64"
	}
	return arch
}

// installOnly says whether several versions of a package stand beside each
// other. The names are yum's default installonlypkgs (yum.conf(5)) with the
// subpackages later kernels were split into; the capabilities are dnf's.
func installOnly(m *nevra.Metadata) bool {
	if strings.HasPrefix(m.Name, "kernel") {
		switch strings.TrimPrefix(m.Name, "kernel") {
		case "", "-core", "-modules", "-modules-core", "-modules-extra", "-devel", "-debug", "-debug-core", "-debug-modules",
			"-debug-devel", "-PAE", "-PAE-debug", "-PAE-devel", "-smp", "-bigmem", "-enterprise", "-unsupported", "-source", "-rt", "-ml", "-lt":
			return true
		}
	}
	return slices.ContainsFunc(m.Provides, func(r nevra.Relation) bool {
		return strings.HasPrefix(r.Name, "installonlypkg(") || r.Name == "multiversion(kernel)"
	})
}
