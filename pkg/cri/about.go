package cri

import (
	"slices"

	"kubecrate/pkg/nevra"
)

// About is the static knowledge of a runtime, independent of a host.
type About struct {
	DataDir   string // of images and containers
	ConfigDir string
	Service   string   // service name for systemctl: "docker"
	With      []string // units started together with it
	// Packages are the names of packages that provide its daemon, the usual one first.
	Packages []string
	// Conflicts are packages that cannot be installed beside the first of Packages
	// although neither declares a conflict: they own the same files or start the same
	// services.
	Conflicts []string
	Links     []string // name prefixes of the network interfaces that it creates
	Copies    int64    // number of copies that it keeps of a layer's bytes
	// KeepsDigests means that pods can refer to an image by its digest.
	KeepsDigests bool
	// KubeletDirs are directories of the kubelet for this runtime only.
	KubeletDirs []string
	// Aliases are other paths of its socket, or of the kubelet's shim.
	Aliases []string
	// GoneMinor is the first minor release of Kubernetes whose kubelet does not
	// support it, 0 if there is none.
	GoneMinor int

	// Commands as an operator types them.
	Show       string // shows version and configuration
	Containers string // lists containers, including exited ones
}

// Misfit is why a build of a runtime's package does not work with a kubelet, as the
// end of a sentence that begins "kubernetes is v1.26.0, ", and the fix.
type Misfit struct{ Problem, Hint string }

// fitter is a runtime with builds that do not work with every kubelet.
type fitter interface {
	misfit(minor int, build nevra.NEVRA) *Misfit
}

// Fits returns nil if build, a package that provides r, works with the kubelet of a
// minor release of Kubernetes.
func Fits(r Runtime, minor int, build nevra.NEVRA) *Misfit {
	if f, ok := r.(fitter); ok {
		return f.misfit(minor, build)
	}
	return nil
}

// About returns the static knowledge of a runtime by its name in a manifest, and
// defaults for one that is not in the table, which For refuses.
func (t Runtimes) About(name string) About {
	r, err := t.For(name)
	if err != nil {
		return About{DataDir: "/var/lib", Packages: []string{name}, Copies: 1, KeepsDigests: true}
	}
	return r.About()
}

// Another returns the first runtime other than than for which good is true, "" if
// there is none.
func (t Runtimes) Another(than string, good func(About) bool) string {
	for _, r := range t.each() {
		if r.Name() != than && good(r.About()) {
			return r.Name()
		}
	}
	return ""
}

// DataDirs returns the data directories of all runtimes.
func (t Runtimes) DataDirs() []string {
	return t.all(func(a About) []string { return []string{a.DataDir} })
}

// Links returns the interface name prefixes of all runtimes.
func (t Runtimes) Links() []string { return t.all(func(a About) []string { return a.Links }) }

// KubeletDirs returns the kubelet's directories for all runtimes.
func (t Runtimes) KubeletDirs() []string {
	return t.all(func(a About) []string { return a.KubeletDirs })
}

// Conflicts returns the packages that cannot be installed beside the named package,
// which provides a runtime.
func (t Runtimes) Conflicts(name string) []string {
	return t.all(func(a About) []string {
		if a.Packages[0] != name {
			return nil
		}
		return a.Conflicts
	})
}

func (t Runtimes) all(of func(About) []string) (list []string) {
	for _, r := range t.each() {
		list = append(list, of(r.About())...)
	}
	slices.Sort(list)
	return list
}

// Canonical returns the Runtime.Socket of which socket is an alias, or socket itself.
func (t Runtimes) Canonical(socket string) string {
	for _, r := range t.each() {
		if slices.Contains(r.About().Aliases, socket) {
			return r.Socket()
		}
	}
	return socket
}
