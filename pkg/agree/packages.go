package agree

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"kubecrate/manifest"
	"kubecrate/pkg/cri"
	"kubecrate/pkg/nevra"
)

// component is a program of Kubernetes and the forms of the names of packages
// that have it: those of kubernetes.io, of Fedora and of the versioned streams.
type component struct {
	program string
	form    *regexp.Regexp
}

func components() []component {
	return []component{
		{"kubelet", regexp.MustCompile(`^(kubelet|kubernetes[0-9.]*(-node|-kubelet)?)$`)},
		{"kubeadm", regexp.MustCompile(`^(kubeadm|kubernetes[0-9.]*-kubeadm)$`)},
		{"kubectl", regexp.MustCompile(`^(kubectl|kubernetes[0-9.]*-client)$`)},
	}
}

func find(list []nevra.NEVRA, c component) (nevra.NEVRA, bool) {
	i := slices.IndexFunc(list, func(n nevra.NEVRA) bool { return c.form.MatchString(n.Name) })
	if i < 0 {
		return nevra.NEVRA{}, false
	}
	return list[i], true
}

// roots compares what the manifest asks for by version, and the runtime where it
// asks for another.
func (b *Bundle) roots(f *findings) {
	asked := *b
	asked.Packages, asked.early = nil, true
	for _, r := range b.Roots {
		pin := nevra.ParsePin(r)
		n := nevra.NEVRA{Name: pin.Name()}
		n.Version, n.Release = pin.Version()
		if ok, err := path.Match(n.Version, b.version()); ok && err == nil {
			n.Version = b.version() // a pattern that has this version too; what it brings is judged later
		}
		asked.Packages = append(asked.Packages, n)
	}
	var other []nevra.NEVRA
	for _, c := range components() {
		if n, ok := find(asked.Packages, c); ok && n.Version != "" && n.Version != b.version() {
			other = append(other, n)
		}
	}
	b.versions(f, other)
	asked.Images = nil
	for _, name := range b.Listed {
		asked.Images = append(asked.Images, manifest.LockedImage{Name: name})
	}
	asked.control(f)
	if !asked.empty() && !slices.ContainsFunc(b.Files, isManifest) {
		b.noNetwork(f)
	}
	_, own := asked.runtimePackage(b.Runtime)
	if n, ok := asked.runtimePackage(b.otherRuntime()); ok && !own {
		f.fail(b.runtimeHint(), "runtime is %s, but packages.roots has %s and no package of %s", b.Runtime, n.Name, b.Runtime)
	}
}

// programs compares kubelet, kubeadm and kubectl with the version: the
// configuration is written for it, and kubeadm runs its own images.
func (b *Bundle) programs(f *findings) {
	var missing, pins []string
	var other []nevra.NEVRA
	for _, c := range components() {
		n, ok := find(b.Packages, c)
		if !ok {
			n, ok = find(b.Installed, c)
		}
		switch {
		case !ok:
			missing, pins = append(missing, c.program), append(pins, c.program+"-"+b.version())
		case n.Version != b.version():
			other = append(other, n)
		}
	}
	if len(missing) > 0 {
		f.absent("add "+strings.Join(pins, ", ")+" to packages.roots", "kubernetes is %s, but no package provides %s", b.Kubernetes, strings.Join(missing, ", "))
	}
	b.versions(f, other)
}

// version is the 1.17.4 of v1.17.4, as packages have it.
func (b *Bundle) version() string { return strings.TrimPrefix(b.Kubernetes, "v") }

// versions tells of packages of another version.
func (b *Bundle) versions(f *findings, other []nevra.NEVRA) {
	var names, pins []string
	for _, n := range other {
		name := n.Name + "-" + n.Version
		if n.Release != "" {
			name += "-" + n.Release
		}
		names, pins = append(names, name), append(pins, n.Name+"-"+b.version())
	}
	if len(other) > 0 {
		f.fail("write "+strings.Join(pins, ", ")+" under packages.roots, or kubernetes: v"+other[0].Version,
			"kubernetes is %s, but packages have another version: %s", b.Kubernetes, strings.Join(names, ", "))
	}
}

// runtimePackage finds the package of a runtime, in the bundle first.
func (b *Bundle) runtimePackage(runtime string) (nevra.NEVRA, bool) {
	for _, list := range [][]nevra.NEVRA{b.Packages, b.Installed} {
		for _, name := range b.Runtimes.About(runtime).Packages {
			if i := slices.IndexFunc(list, func(n nevra.NEVRA) bool { return n.Name == name }); i >= 0 {
				return list[i], true
			}
		}
	}
	return nevra.NEVRA{}, false
}

// otherRuntime is the first of the others.
func (b *Bundle) otherRuntime() string {
	return b.Runtimes.Another(b.Runtime, func(cri.About) bool { return true })
}

func (b *Bundle) runtimeHint() string {
	return "add " + b.Runtimes.About(b.Runtime).Packages[0] + " to packages.roots, or write runtime: " + b.otherRuntime() +
		"; for profiles with either: bundle profiles"
}

func (b *Bundle) runtime(f *findings) {
	n, ok := b.runtimePackage(b.Runtime)
	if !ok {
		has := "no package provides a container runtime"
		if n, ok := b.runtimePackage(b.otherRuntime()); ok {
			has = "the packages include " + n.String() + " but no package of " + b.Runtime
		}
		f.absent(b.runtimeHint(), "runtime is %s, but %s", b.Runtime, has)
		return
	}
	minor, _, known := b.minor()
	r, err := b.Runtimes.For(b.Runtime)
	if !known || err != nil {
		return
	}
	if no := cri.Fits(r, minor, n); no != nil {
		f.fail(no.Hint, "kubernetes is %s, %s", b.Kubernetes, no.Problem)
	}
}

// plugins: the program that pods of the network need comes with a package or with
// an image.
func (b *Bundle) plugins(f *findings) {
	p := b.Networks.Find(b.Network).Brought
	if p == nil {
		return
	}
	i := slices.IndexFunc(b.Packages, func(n nevra.NEVRA) bool { return n.Name == "kubernetes-cni" })
	if i < 0 || nevra.Vercmp(b.Packages[i].Version, p.Until) < 0 {
		return
	}
	brings := func(img manifest.LockedImage) bool {
		base := baseName(img.Name)
		return strings.Contains(base, p.Image)
	}
	if !slices.ContainsFunc(b.Images, brings) {
		f.fail(p.Fix, "network is %s, but neither %s nor an image has the %s plugin", b.Network, b.Packages[i], p.Name)
	}
}
