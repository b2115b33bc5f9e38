package cri

import (
	"slices"

	"kubecrate/pkg/nevra"
)

// About is what is known of a runtime without a host to look at.
type About struct {
	DataDir   string // where it keeps images and containers
	ConfigDir string
	Service   string   // as systemctl takes it: "docker"
	With      []string // units that come up with it
	// Packages are the names of those that bring its daemon, the usual one first.
	Packages []string
	// Conflicts are packages that cannot be beside the first of Packages although
	// neither says so: they have the same files, or start the same services.
	Conflicts []string
	Links     []string // the beginnings of the names of network interfaces that it makes
	Copies    int64    // how often it keeps the bytes of an image's layers
	// KeepsDigests says that pods find an image by its digest, too.
	KeepsDigests bool
	// KubeletDirs are what a kubelet keeps for this runtime alone.
	KubeletDirs []string
	// Aliases are other paths of its socket, and of what the kubelet has in its place.
	Aliases []string
	// GoneMinor is the minor release of Kubernetes from which on the kubelet cannot
	// use it, 0 where there is none.
	GoneMinor int

	// Commands as an operator types them.
	Show       string // what it is and how it is configured
	Containers string // lists containers, those that ended too
}

// Misfit says why a build of a runtime's package does not work with a kubelet, to
// follow "kubernetes is v1.26.0, ", and what to do then.
type Misfit struct{ Problem, Hint string }

// fitter is a runtime some builds of which do not work with every kubelet.
type fitter interface {
	misfit(minor int, build nevra.NEVRA) *Misfit
}

// Fits is nil where build, a package that brings r, works with the kubelet of a
// minor release of Kubernetes.
func Fits(r Runtime, minor int, build nevra.NEVRA) *Misfit {
	if f, ok := r.(fitter); ok {
		return f.misfit(minor, build)
	}
	return nil
}

// About is what is known of a runtime of a manifest, and little of one that is not
// in the table: what asks for its steps refuses that.
func (t Runtimes) About(name string) About {
	r, err := t.For(name)
	if err != nil {
		return About{DataDir: "/var/lib", Packages: []string{name}, Copies: 1, KeepsDigests: true}
	}
	return r.About()
}

// Another is the first runtime but than of which good is true, "" without one.
func (t Runtimes) Another(than string, good func(About) bool) string {
	for _, r := range t.each() {
		if r.Name() != than && good(r.About()) {
			return r.Name()
		}
	}
	return ""
}

// DataDirs are those of all runtimes.
func (t Runtimes) DataDirs() []string {
	return t.all(func(a About) []string { return []string{a.DataDir} })
}

// Links are the beginnings of names of interfaces of all runtimes.
func (t Runtimes) Links() []string { return t.all(func(a About) []string { return a.Links }) }

// KubeletDirs are those of all runtimes.
func (t Runtimes) KubeletDirs() []string {
	return t.all(func(a About) []string { return a.KubeletDirs })
}

// Conflicts are the packages that cannot be beside one that brings a runtime.
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

// Canonical is the path of a socket as a Runtime gives it, whose aliases are known.
func (t Runtimes) Canonical(socket string) string {
	for _, r := range t.each() {
		if slices.Contains(r.About().Aliases, socket) {
			return r.Socket()
		}
	}
	return socket
}
